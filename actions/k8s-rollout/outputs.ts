import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeOwnFolder, OWN_FOLDER } from '../../shared/content/index.ts';
import type { Host } from '../../shared/host/index.ts';
import { type Block, toMarkdown, toTerminal } from '../../shared/report/index.ts';
import { type ClusterRun, type ReportFile, worstOf } from './cluster-run.ts';
import { type Place, reportRuns } from './report.ts';

/** The outputs, the JSON report and the summary of a run. */
export async function tell(host: Host, runs: readonly ClusterRun[]): Promise<void> {
  const result = worstOf(runs);
  const causes = runs.flatMap((run) => run.causes);
  host.output('result', result);
  host.output('cause', causes[0]?.code ?? '');
  host.output('revision', runs.length === 1 ? String(runs[0]!.revision ?? '') : '');
  host.output('changed', String(runs.some(({ changed }) => changed)));
  host.output('report', writeReport(host, { version: 1, result, clusters: runs }));
  await summarize(host, (place) => reportRuns(runs, place));
}

/** Shows a report in the form that suits the summary of a job, and the one that suits a terminal. */
export async function summarize(host: Host, report: (place: Place) => readonly Block[]): Promise<void> {
  const terminal = report('terminal');
  await host.summarize({
    markdown: toMarkdown(report('summary')),
    text: toTerminal(terminal, { width: 96, color: false }),
    render: (format) => toTerminal(terminal, format),
  });
}

/** In a terminal it lies in the checkout, in a folder that is part of no commit. */
export function writeReport(host: Host, report: ReportFile): string {
  const own = join(host.workspace, OWN_FOLDER);
  if (host.kept === undefined) makeOwnFolder(own);
  const release = report.gitops?.release ?? report.clusters[0]?.release;
  const path = join(host.kept ?? own, `k8s-rollout-${release}.json`);
  writeFileSync(path, host.mask(`${JSON.stringify(report, undefined, 2)}\n`));
  return path;
}
