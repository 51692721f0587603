import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host, Inputs } from '../../shared/host/index.ts';
import {
  buildImage,
  buildxMetadata,
  describePlan,
  type ImagePlan,
  type ImageResult,
  imageId,
  planImage,
} from '../../shared/image/index.ts';
import { dockerCredentials, RegistryClient, resolveImage } from '../../shared/oci/index.ts';
import { summary } from '../../shared/report/index.ts';
import type { definition } from './definition.ts';
import { openDeliveries } from './deliveries.ts';
import { exportImage } from './export.ts';
import { parseOutputs } from './outputs.ts';
import { reportPlan, reportResult } from './report.ts';
import { readBuilder, readRequest } from './request.ts';

/** Plans the image, makes what is not there, brings it where it is asked for, and says what was done and why. */
export async function main(host: Host, inputs: Inputs<typeof definition>): Promise<void> {
  const started = performance.now();
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway');
  const request = readRequest(host, inputs, cache, process.env);
  const builder = readBuilder(host, inputs);
  const outputs = parseOutputs(inputs.outputs, host.workspace);
  const client = await openClient(host);
  try {
    const plan = await host.task('Plan', () =>
      planImage(
        request,
        (reference, platform) => resolveImage(client, reference, platform),
        join(host.temporary, 'plan'),
      ),
    );
    warn(host, plan);
    host.output('plan', JSON.stringify(describePlan(plan)));
    if (inputs.plan) {
      await host.summarize(summary(reportPlan(plan)));
      return;
    }
    const places = await openDeliveries(host, client, inputs, outputs);
    const options = { temporary: host.temporary, signal: host.signal, builder, reuse: !inputs['no-cache'] };
    const result = await host.task('Image', (task) => buildImage(plan, places.deliveries, options, task));
    await exportImage(host, plan, result, places, inputs, outputs, cache);
    if (builder.cacheTo.length > 0 && !usedBuilder(plan, result))
      host.annotate({
        level: 'notice',
        message: 'cache-to has nothing to keep: no builder took part in this image.',
      });
    tell(host, result, places.names, places.layout);
    await host.summarize(
      summary(
        reportResult(plan, result, { milliseconds: performance.now() - started, traffic: client.traffic() }),
      ),
    );
  } finally {
    client.close();
  }
}

async function openClient(host: Host): Promise<RegistryClient> {
  const secret = (value: string) => host.secret(value);
  const credentials = await dockerCredentials({ secret, signal: host.signal });
  return new RegistryClient({
    credentials,
    secret,
    signal: host.signal,
    temporary: host.temporary,
    log: (line) => host.log(line),
  });
}

function warn(host: Host, plan: ImagePlan): void {
  for (const { message, lines } of plan.warnings)
    host.annotate({
      level: 'warning',
      message,
      location: {
        file: plan.dockerfile.path,
        ...(lines !== undefined && { line: lines.start, endLine: lines.end }),
      },
    });
}

function usedBuilder(plan: ImagePlan, result: ImageResult): boolean {
  return !result.reused && plan.key === undefined;
}

function tell(host: Host, result: ImageResult, names: readonly string[], layout: string | undefined): void {
  host.output('imageid', imageId(result));
  host.output('digest', result.descriptor.digest);
  host.output('metadata', JSON.stringify(buildxMetadata(result, names)));
  host.output('reused', String(result.reused));
  if (names[0] !== undefined)
    host.output('reference', `${names[0].replace(/@.*$/, '')}@${result.descriptor.digest}`);
  if (layout !== undefined) host.output('layout', layout);
}
