import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Ending } from './attempt.ts';
import { createDeployments } from './deployments.ts';
import { readRun } from './github-run.ts';
import type { Annotation, Host } from './host.ts';
import { identityTokenOf } from './identity-token.ts';
import { createLogView, type LogStyle } from './log-view.ts';
import { createMasks } from './masks.ts';
import { atWorkspace } from './place.ts';
import { createProcessEdge } from './process-edge.ts';
import { createRoot, createTask } from './work.ts';

/** A host that someone has to close: what was held back is printed, temporary files are removed. */
export interface ClosableHost extends Host {
  /** `ending` is how the run ended, default `done`: a terminal shows no outputs of one that failed. */
  close(ending?: Ending): void;
}

/** The runner refuses a larger summary of a step as a whole: "supports content up to a size of 1024k". */
const SUMMARY_LIMIT = 1024 * 1024;

/**
 * The host of an action on a GitHub runner. It speaks through @actions/core: file commands for outputs and state, workflow
 * commands for groups, annotations and masks.
 */
export async function createGithubHost(): Promise<ClosableHost> {
  // Loaded here and not at the top: a command in a terminal never needs it.
  const core = await import('./toolkit.ts');
  const env = process.env;
  const workspace = env.GITHUB_WORKSPACE ?? process.cwd();
  const masks = createMasks();
  const edge = createProcessEdge(env.RUNNER_TEMP);
  const root = createRoot(performance.now());
  const write = (line: string) => void process.stdout.write(`${masks.apply(line)}\n`);
  const view = createLogView(root, { write, style: githubStyle() });
  const secret = (value: string) => {
    for (const form of masks.add(value)) core.setSecret(form);
  };
  const run = readRun(env);
  const annotate = (given: Annotation) => {
    const { level, ...annotation } = atWorkspace(given, workspace);
    core[level](masks.apply(annotation.message), annotationProperties(annotation, masks.apply));
  };
  return {
    kind: 'github',
    signal: edge.signal,
    workspace,
    get temporary() {
      return edge.temporary();
    },
    kept: env.RUNNER_TEMP,
    run,
    ...createTask(root, { view, clock: () => performance.now(), mask: masks.apply }),
    input: (name) => core.getInput(name) || undefined,
    output: (name, value) => core.setOutput(name, value),
    secret,
    mask: masks.apply,
    identityToken: identityTokenOf(env, secret),
    deployments: (token) =>
      createDeployments({ token, run, annotate, api: env.GITHUB_API_URL || 'https://api.github.com' }),
    annotate,
    summarize: async (summary) => {
      const file = env.GITHUB_STEP_SUMMARY;
      if (file) {
        const room = SUMMARY_LIMIT - statSync(file).size;
        await core.summary.addRaw(fitSummary(masks.apply(summary.markdown), room), true).write();
      } else for (const line of summary.text.split('\n')) write(escapeCommand(line));
    },
    saveState: (name, value) => core.saveState(name, value),
    state: (name) => core.getState(name) || undefined,
    close: () => {
      view.end();
      edge.close();
    },
  };
}

function annotationProperties(annotation: Omit<Annotation, 'level'>, mask: (text: string) => string) {
  const { location, title } = annotation;
  return {
    ...(title === undefined ? {} : { title: mask(title) }),
    ...(location === undefined ? {} : { file: location.file }),
    ...(location?.line === undefined ? {} : { startLine: location.line }),
    ...(location?.endLine === undefined ? {} : { endLine: location.endLine }),
    ...(location?.column === undefined ? {} : { startColumn: location.column }),
  };
}

/** Groups do not nest on a runner: a task of the host is one, those inside it are indented lines. */
export function githubStyle(): LogStyle {
  const indent = (depth: number) => '  '.repeat(Math.max(0, depth - 1));
  return {
    open: (title, depth) =>
      depth === 0 ? `::group::${escapeData(title)}` : `${indent(depth)}- ${escapeCommand(title)}`,
    close: (depth) => (depth === 0 ? '::endgroup::' : undefined),
    detail: (line, depth) => escapeCommand(`${indent(depth)}${line}`),
    result: (text, work) => escapeCommand(`${indent(work.depth)}${text}`),
    details: true,
  };
}

/**
 * A line that the runner would carry out as a workflow command, printed as the text that it is. The runner takes `::name …::` at
 * the start of a line, after white space, and the older `##[name …]` anywhere in it (actions/runner, ActionCommand.TryParse);
 * between stop-commands and a token that nobody can guess it takes neither.
 */
export function escapeCommand(line: string, token: () => string = randomUUID): string {
  if (!line.trimStart().startsWith('::') && !line.includes('##[')) return line;
  const end = token();
  return `::stop-commands::${end}\n${line}\n::${end}::`;
}

const escapeData = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

/** Cuts a summary at a line end so that it fits into `limit` bytes, closes what the cut left open, and says that it was cut. */
export function fitSummary(markdown: string, limit: number): string {
  if (Buffer.byteLength(markdown) < limit) return markdown;
  const notice = '\n\n*The summary is longer than the runner accepts and was cut here.*\n';
  const room = limit - Buffer.byteLength(notice) - 1024;
  if (room <= 0) return '';
  const head = Buffer.from(markdown).subarray(0, room).toString();
  const kept = head.slice(0, Math.max(0, head.lastIndexOf('\n')));
  const fence = (kept.match(/^```/gm) ?? []).length % 2 === 1 ? '\n```' : '';
  const open = (kept.match(/<details>/g) ?? []).length - (kept.match(/<\/details>/g) ?? []).length;
  return `${kept}${fence}${'\n</details>'.repeat(Math.min(50, Math.max(0, open)))}${notice}`;
}
