import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import { type Annotation, type Host, readInputs, type Summary } from '../../../shared/host/index.ts';

/** A host that keeps all that it is told. */
export interface MemoryHost extends Host {
  readonly outputs: Record<string, string>;
  readonly annotations: Annotation[];
  readonly lines: string[];
  readonly secrets: string[];
  readonly summaries: Summary[];
}

export function memoryHost(
  workspace: string,
  signal: AbortSignal = new AbortController().signal,
): MemoryHost {
  const temporary = mkdtempSync(join(tmpdir(), 'slipway-run-'));
  mkdirSync(temporary, { recursive: true });
  const host: MemoryHost = {
    kind: 'terminal',
    signal,
    workspace,
    temporary,
    run: { trusted: true },
    outputs: {},
    annotations: [],
    lines: [],
    secrets: [],
    summaries: [],
    input: () => undefined,
    output: (name, value) => {
      host.outputs[name] = value;
    },
    secret: (value) => host.secrets.push(value),
    mask: (text) => host.secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text),
    annotate: (annotation) => host.annotations.push(annotation),
    summarize: async (one) => {
      host.summaries.push(one);
    },
    saveState: () => {},
    state: () => undefined,
    task: (title, work) => {
      host.lines.push(title);
      return work(host);
    },
    log: (line) => host.lines.push(line),
    note: (text) => host.lines.push(text),
  };
  return host;
}

/** Runs docker-multistage with inputs as a workflow gives them; what it makes of stages is kept only where a store is named. */
export async function runAction(
  workspace: string,
  inputs: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<MemoryHost> {
  const host = { ...memoryHost(workspace, signal), input: (name: string) => inputs[name] };
  await main(
    host,
    readInputs(definition, (name) => inputs[name] ?? (name === 'store' ? 'none' : undefined)),
  );
  return host;
}
