import { resolve } from 'node:path';
import {
  CompileFailure,
  type GoBuildRequest,
  type GoBuildResult,
  type GoPlan,
  goContext,
  identifyGoBuild,
  planGoBuild,
  runGoBuild,
} from '../../shared/go/index.ts';
import type { Host, Task } from '../../shared/host/index.ts';
import { summary } from '../../shared/report/index.ts';
import { StepCaches, saveStepCaches } from './caches.ts';
import { buildRequest, type GoBuildInputs } from './request.ts';
import { openStore } from './store.ts';
import { buildSummary } from './summary.ts';

export async function main(host: Host, inputs: GoBuildInputs): Promise<void> {
  const request = buildRequest(inputs, host.workspace, host.run);
  const caches = new StepCaches(host, openStore(host, inputs));
  const plan = await planWithCaches(host, request, caches);
  host.output('plan', JSON.stringify(shownPlan(plan)));
  if (inputs.plan) {
    for (const { title, decision } of plan.programs)
      host.log(`${title}: ${decision.kind}, ${decision.because}`);
    return;
  }
  const result = await buildWithCaches(host, plan, caches, host);
  writeOutputs(host, inputs, result);
  await host.summarize(summary(buildSummary(plan, result)));
}

/** Saves what the run gained, also after a failure. */
export async function post(host: Host, inputs: GoBuildInputs): Promise<void> {
  await saveStepCaches(host, () => openStore(host, inputs));
}

/** A plan that knows what earlier runs on other machines built. */
export async function planWithCaches(
  host: Host,
  request: GoBuildRequest,
  caches: StepCaches,
): Promise<GoPlan> {
  const context = goContext(host.signal);
  await caches.restorePrograms(await identifyGoBuild(request, context), host);
  return planGoBuild(request, context, {
    beforeDownloads: (environment, what) => caches.restoreModules(environment, what, host),
  });
}

/** Does the plan with its caches around it. Every complaint of the compiler becomes an annotation at its line. */
export async function buildWithCaches(
  host: Host,
  plan: GoPlan,
  caches: StepCaches,
  task: Task,
): Promise<GoBuildResult> {
  try {
    const result = await runGoBuild(plan, task, {
      beforeBuild: (environment, _, own) => caches.restoreForBuild(environment, plan, own),
    });
    caches.built();
    for (const message of result.notices) host.annotate({ level: 'notice', message });
    return result;
  } catch (error) {
    if (error instanceof CompileFailure) annotate(host, error);
    throw error;
  }
}

/** The first one is shown with the failure itself. */
function annotate(host: Host, { diagnostics, location }: CompileFailure): void {
  for (const one of diagnostics)
    if (one.location !== undefined && one.location !== location)
      host.annotate({ level: 'error', message: one.message, location: one.location });
}

function shownPlan(plan: GoPlan) {
  return plan.programs.map(({ package: { importPath }, platform, output, decision }) => ({
    package: importPath,
    target: platform,
    path: output,
    decision: decision.kind,
    because: decision.because,
  }));
}

function writeOutputs(host: Host, inputs: GoBuildInputs, { programs, checksums }: GoBuildResult): void {
  const [first] = programs;
  host.output('binaries', JSON.stringify(programs.map(({ buildInfo: _, ...shown }) => shown)));
  host.output('build-info', JSON.stringify(programs.map(({ buildInfo }) => buildInfo)));
  host.output('path', first?.path ?? '');
  host.output('digest', first?.digest ?? '');
  host.output('directory', resolve(host.workspace, inputs['working-directory'], inputs.output));
  host.output('checksums', checksums ?? '');
  host.output('go-version', first?.goVersion ?? '');
  host.output('changed', String(programs.some(({ reused }) => !reused)));
}
