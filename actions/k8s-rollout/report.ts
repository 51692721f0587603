import { formatBytes, formatDuration } from '../../shared/host/index.ts';
import { formatId } from '../../shared/kubernetes/index.ts';
import {
  type Block,
  code,
  details,
  heading,
  type Inline,
  list,
  mono,
  paragraph,
  strong,
  table,
} from '../../shared/report/index.ts';
import type { Cause, Finding, MissingAccess, WorkloadProgress } from '../../shared/rollout/index.ts';
import { countChanges, diffLines } from './changes.ts';
import { type ClusterRun, type GitopsRun, isPass, type RunResult, worstOf } from './cluster-run.ts';
import { autoscalerPicture, resourcePicture, timelineOf } from './picture.ts';

/** Where it is read: a terminal has shown findings as they were found, and nobody folds anything away there. */
export type Place = 'summary' | 'terminal';

/** All that became of a run, the verdict first. */
export function reportRuns(runs: readonly ClusterRun[], place: Place): Block[] {
  const [first] = runs;
  if (first === undefined) return [];
  if (runs.length === 1) return reportOne(first, place);
  return [
    heading(`${MARKS[worstOf(runs)][place]} ${first.release} on ${runs.length} clusters`),
    paragraph(strong(verdictOfAll(runs))),
    table(
      [
        { title: 'Wave', align: 'right' },
        'Cluster',
        'Result',
        { title: 'Revision', align: 'right' },
        'Why',
        { title: 'Time', align: 'right' },
      ],
      runs.map((run) => [
        String(run.wave),
        mono(run.cluster),
        `${MARKS[run.result][place]} ${WORDS[run.result]}`,
        run.revision === undefined ? '–' : String(run.revision),
        whyOf(run),
        run.result === 'held' ? '–' : formatDuration(run.milliseconds),
      ]),
    ),
    ...runs
      .filter(({ result }) => result !== 'held')
      .map((run) => details(`${MARKS[run.result][place]} ${run.cluster}`, reportOne(run, place))),
  ];
}

const MARKS: Readonly<Record<RunResult, Readonly<Record<Place, string>>>> = {
  complete: { summary: '✅', terminal: '✓' },
  planned: { summary: '📋', terminal: 'Plan of' },
  undone: { summary: '↩️', terminal: '✗' },
  failed: { summary: '❌', terminal: '✗' },
  unknown: { summary: '❔', terminal: '?' },
  held: { summary: '⏸️', terminal: '–' },
};

const WORDS: Readonly<Record<RunResult, string>> = {
  complete: 'rolled out',
  planned: 'planned',
  undone: 'failed and undone',
  failed: 'failed',
  unknown: 'unknown',
  held: 'not touched',
};

/** How many came how far, and what that means for those that are through. */
function verdictOfAll(runs: readonly ClusterRun[]): string {
  const names = (of: (run: ClusterRun) => boolean) => runs.filter(of).map(({ cluster }) => cluster);
  const through = names(({ result }) => result === 'complete');
  const held = names(({ result }) => result === 'held');
  const bad = runs.filter((run) => !isPass(run) && run.result !== 'held');
  if (bad.length === 0) {
    if (runs.every(({ result }) => result === 'planned')) return `Planned for ${runs.length} clusters.`;
    return `Rolled out to all ${runs.length} clusters.`;
  }
  return [
    `${bad.map(({ cluster, result }) => `${cluster} ${WORDS[result]}`).join(', ')}.`,
    through.length === 0
      ? 'No cluster has the new revision.'
      : `${through.join(', ')} ${through.length === 1 ? 'is' : 'are'} proven and stay${through.length === 1 ? 's' : ''} on the new revision.`,
    ...(held.length === 0 ? [] : [`${held.join(', ')} ${held.length === 1 ? 'was' : 'were'} not touched.`]),
  ].join(' ');
}

const whyOf = ({ causes, because }: ClusterRun): string => causes[0]?.message ?? because;

/** Puts blocks away under a title where the place can fold. */
type Fold = (title: string, blocks: Block[]) => Block[];

function reportOne(run: ClusterRun, place: Place): Block[] {
  const short = place === 'terminal';
  const folded: Fold = (title, blocks) => {
    if (blocks.length === 0) return [];
    return short ? [heading(title, 4), ...blocks] : [details(title, blocks)];
  };
  const planned = run.result === 'planned';
  return [
    heading(`${MARKS[run.result][place]} ${run.release}`),
    paragraph([strong(verdict(run)), ...effort(run)]),
    ...run.causes.flatMap((cause) => causeBlocks(cause, run.causes.length > 1)),
    ...workloads(run),
    ...checks(run),
    ...(planned ? access(run.missing) : []),
    ...(short ? [] : findings(run.findings)),
    ...changeBlocks(run, folded),
    ...(short && planned ? fixes(run.findings.filter(({ level }) => level !== 'notice')) : []),
    ...folded('Pods over time', run.observation === undefined ? [] : timelineOf(run.observation)),
    ...(run.undo === undefined || (short && run.result === 'undone')
      ? []
      : folded('Pods on the way back', timelineOf(run.undo))),
    ...(short ? [] : folded('Requests, limits and QoS', resourcePicture(run.resources))),
    ...autoscalers(run, folded),
    ...(planned || short ? [] : access(run.missing)),
  ];
}

/** The one line for a person on call: what is the case, and what serves now. */
export function verdict(run: ClusterRun): string {
  const where = `${run.namespace} on ${run.cluster}`;
  const serves = run.revision === undefined ? '' : ` Revision ${run.revision} serves.`;
  const cause = whyOf(run).replace(/\.$/, '');
  switch (run.result) {
    case 'complete':
      if (!run.changed) return `Nothing changed in ${where}.${serves}`;
      return `Rolled out to ${where}.${serves}${run.because === '' ? '' : ` ${run.because}`}`;
    case 'planned':
      if (run.because !== '') return `Cannot be rolled out to ${where}: ${cause}.${serves}`;
      return `Would be rolled out to ${where}: ${countChanges(run.changes) || 'nothing changes'}.`;
    case 'undone':
      return `Not rolled out to ${where}, and undone: ${cause}.${serves}`;
    case 'failed':
      return `Failed in ${where}: ${cause}.${serves}`;
    case 'unknown':
      return `Not known to be rolled out to ${where}: ${cause}.${serves}`;
    case 'held':
      return `Not touched: ${cause}.`;
  }
}

function effort({ milliseconds, traffic }: ClusterRun): string[] {
  const { requests, watches, bytesSent, bytesReceived } = traffic;
  const api = `${requests} API requests and ${watches} watches, ${formatBytes(bytesSent)} sent, ${formatBytes(bytesReceived)} received`;
  return [`\n${formatDuration(milliseconds)}, ${api}.`];
}

function causeBlocks(cause: Cause, several: boolean): Block[] {
  const pods = cause.pods > 1 ? ` ${cause.pods} pods show it.` : '';
  const shown = `${cause.evidence.join('\n')}`.trim();
  return [
    paragraph([
      mono(cause.code),
      ` ${several ? cause.message : `in ${formatId(cause.object)}${cause.container === undefined ? '' : `, container ${cause.container}`}.`}${pods}`,
    ]),
    ...(shown === '' ? [] : [code(shown)]),
    paragraph([strong('Next: '), cause.next]),
  ];
}

/** The counts at the end of what was watched last. */
function workloads({ observation, undo }: ClusterRun): Block[] {
  const rows = (undo ?? observation)?.workloads ?? [];
  if (rows.length === 0) return [];
  const number = (title: string) => ({ title, align: 'right' as const });
  return [
    // Under a verdict that says no, what is complete is what serves and not what was asked for.
    ...(undo === undefined ? [] : [paragraph('What serves after the undo:')]),
    table(
      [
        'Workload',
        'State',
        number('Wanted'),
        number('Updated'),
        number('Ready'),
        number('Available'),
        number('Unavailable'),
      ],
      rows.map((one) => [
        mono(`${one.id.kind} ${one.id.name}`),
        one.state === 'complete' ? 'complete' : `${one.state}: ${one.waitingFor}`,
        ...[one.wanted, one.updated, one.ready, one.available, one.unavailable].map(String),
      ]),
    ),
  ];
}

/** `2/3 updated · 1/3 ready`. */
export function countsOf({ state, wanted, updated, ready, available, waitingFor }: WorkloadProgress): string {
  if (state === 'waiting') return waitingFor;
  const counts = `${updated}/${wanted} updated · ${ready}/${wanted} ready`;
  return state === 'complete' ? counts : `${counts} · ${available}/${wanted} available`;
}

function checks({ checks: verdicts }: ClusterRun): Block[] {
  if (verdicts.length === 0) return [];
  const failed = verdicts.filter(({ kind, evidence }) => kind !== 'pass' && evidence.length > 0);
  return [
    table(
      [
        'Check',
        'Verdict',
        'What came',
        { title: 'Attempts', align: 'right' },
        { title: 'Time', align: 'right' },
      ],
      verdicts.map(({ check, kind, message, attempts, milliseconds }) => [
        mono(check),
        kind,
        message,
        String(attempts),
        formatDuration(milliseconds),
      ]),
    ),
    ...failed.map(({ check, evidence }) => code([check, ...evidence].join('\n'))),
  ];
}

const LEVELS = ['error', 'warning', 'notice'] as const;

/** What asks for an action is open, what is only worth knowing is folded away. */
function findings(all: readonly Finding[]): Block[] {
  const notices = all.filter(({ level }) => level === 'notice');
  const title =
    notices.length === 1 ? '1 notice of the preflight' : `${notices.length} notices of the preflight`;
  return [
    ...findingTable(all.filter(({ level }) => level !== 'notice')),
    ...(notices.length === 0 ? [] : [details(title, findingTable(notices))]),
  ];
}

function findingTable(all: readonly Finding[]): Block[] {
  if (all.length === 0) return [];
  const sorted = LEVELS.flatMap((level) => all.filter((one) => one.level === level));
  return [
    table(
      ['Preflight', 'Rule', 'Object', 'What'],
      sorted.map(({ level, rule, object, message, location }) => [
        level,
        mono(rule),
        placed(formatId(object), location),
        message,
      ]),
    ),
    ...fixes(sorted),
  ];
}

/** The lines that mend what was found. */
const fixes = (all: readonly Finding[]): Block[] =>
  all.flatMap(({ rule, object, fix }) =>
    fix === undefined ? [] : [details(`Fix for ${rule} in ${formatId(object)}`, [code(fix, 'yaml')])],
  );

const placed = (object: string, location: Finding['location']): Inline =>
  location === undefined
    ? object
    : [`${object}\n`, mono(`${location.file}${location.line === undefined ? '' : `:${location.line}`}`)];

function access(missing: readonly MissingAccess[]): Block[] {
  if (missing.length === 0) return [];
  return [
    table(
      ['Missing right', 'In', 'Without it'],
      missing.map(({ verb, resource, namespace, need, loses }) => [
        mono(`${verb} ${resource}`),
        namespace ?? 'the cluster',
        need === 'required' ? `no rollout: ${loses}` : loses,
      ]),
    ),
  ];
}

function changeBlocks({ changes, images, result }: ClusterRun, folded: Fold): Block[] {
  const lines = diffLines(changes);
  const conflicts = changes.flatMap((change) => change.conflicts);
  const compared = changes.some(({ kind, basis }) => kind !== 'same' && basis === 'compared');
  const blocks: Block[] = [
    ...imageTable(images),
    ...(lines.length === 0 ? [] : [code(lines.join('\n'), 'diff')]),
    ...(conflicts.length === 0
      ? []
      : [
          table(
            ['Conflict', 'Object', 'Owned by'],
            conflicts.map(({ id, field, manager }) => [mono(field), formatId(id), manager]),
          ),
        ]),
    ...(compared && lines.length > 0
      ? [paragraph('Compared with what the token may read, without the server’s own defaults.')]
      : []),
  ];
  const title = `Changes: ${countChanges(changes) || 'none'}`;
  return result === 'planned' && blocks.length > 0 ? [heading(title, 3), ...blocks] : folded(title, blocks);
}

function imageTable(images: ClusterRun['images']): Block[] {
  if (images.length === 0) return [];
  return [
    table(
      ['Container', 'Image'],
      images.map(({ object, container, to }) => [`${object.kind} ${object.name}, ${container}`, mono(to)]),
    ),
  ];
}

function autoscalers({ autoscalers: all }: ClusterRun, folded: Fold): Block[] {
  if (all === undefined) return [list(['Autoscalers may not be read with this token.'])];
  const troubled = all.some(({ troubles }) => troubles.length > 0);
  const blocks = autoscalerPicture(all);
  return troubled ? blocks : folded('Autoscalers', blocks);
}

/** What was committed, or would be. */
export function reportGitops(run: GitopsRun, place: Place): Block[] {
  const { branch, folder, release, result, because, commit, changed, pushed, changes, left } = run;
  const at = `${folder === '.' ? 'the top' : folder} of ${branch}`;
  const counts = countChanges(changes);
  const verdicts: Readonly<Record<GitopsRun['result'], string>> = {
    complete: changed
      ? `Committed to ${at}${pushed ? ' and pushed' : ''}: ${counts}. Argo CD or Flux takes it from there; this run has not seen it in service.`
      : `Nothing changed in ${at}.`,
    planned: `Would be committed to ${at}: ${counts || 'nothing changes'}.`,
    failed: `Not committed to ${at}: ${because}`,
  };
  const lines = diffLines(changes);
  return [
    heading(`${MARKS[result][place]} ${release}`),
    paragraph([strong(verdicts[result]), ...(commit === undefined ? [] : [' ', mono(commit.slice(0, 12))])]),
    ...(left.length === 0
      ? []
      : [paragraph(`No longer rendered, and kept because prune is off: ${left.join(', ')}.`)]),
    ...(place === 'terminal' ? [] : findings(run.findings)),
    ...imageTable(run.images),
    ...(lines.length === 0 ? [] : [code(lines.join('\n'), 'diff')]),
  ];
}
