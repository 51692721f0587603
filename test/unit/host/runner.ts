import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a runner knows after a step. */
export interface Step {
  readonly code: number | null;
  /** What a reader of the log sees: commands carried out, groups as `##[group]title` lines. Secrets are NOT masked by this runner. */
  readonly log: readonly string[];
  readonly annotations: readonly Readonly<Record<string, string>>[];
  readonly masks: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** Runs steps of JavaScript actions with the environment and the protocol of actions/runner: commands and file commands. */
export class FakeRunner implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'slipway-runner-'));
  readonly temporary = join(this.folder, 'temp');
  readonly workspace = join(this.folder, 'work');

  constructor() {
    mkdirSync(this.temporary);
    mkdirSync(this.workspace);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async run(
    script: string,
    inputs: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>> = {},
    onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  ): Promise<Step> {
    const files = this.#commandFiles();
    const child = spawn(process.execPath, [script], {
      cwd: this.workspace,
      env: {
        PATH: process.env.PATH,
        GITHUB_ACTIONS: 'true',
        CI: 'true',
        GITHUB_WORKSPACE: this.workspace,
        RUNNER_TEMP: this.temporary,
        ...Object.fromEntries(Object.entries(files).map(([name, path]) => [`GITHUB_${name}`, path])),
        ...Object.fromEntries(
          Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
        ),
        ...env,
      },
    });
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk;
      for (const line of String(chunk).split('\n')) onLine(line, (signal) => child.kill(signal));
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return {
      code,
      ...readLog(output),
      outputs: readKeyValues(readFileSync(files.OUTPUT, 'utf8')),
      state: readKeyValues(readFileSync(files.STATE, 'utf8')),
      summary: readFileSync(files.STEP_SUMMARY, 'utf8'),
    };
  }

  #commandFiles() {
    const folder = mkdtempSync(join(this.folder, 'commands-'));
    const make = (name: string) => {
      writeFileSync(join(folder, name), '');
      return join(folder, name);
    };
    return { OUTPUT: make('output'), STATE: make('state'), STEP_SUMMARY: make('summary') };
  }
}

const COMMANDS = ['add-mask', 'group', 'endgroup', 'error', 'warning', 'notice', 'stop-commands', 'set-env'];

/** The runner's reading of a log, after ActionCommand.TryParseV2 and TryParse and ActionCommandManager of actions/runner. */
function readLog(output: string): Pick<Step, 'log' | 'annotations' | 'masks'> {
  const log: string[] = [];
  const annotations: Record<string, string>[] = [];
  const masks: string[] = [];
  let stopped: string | undefined;
  for (const line of output.split(/\r\n|\n|\r/)) {
    const command = parseCommand(line, stopped);
    if (command === undefined) log.push(line);
    else if (stopped !== undefined) {
      if (command.name === stopped) stopped = undefined;
      else log.push(line);
    } else if (command.name === 'stop-commands') stopped = command.data;
    else if (command.name === 'add-mask') masks.push(command.data);
    else if (command.name === 'group') log.push(`##[group]${command.data}`);
    else if (command.name === 'endgroup') log.push('##[endgroup]');
    else annotations.push({ level: command.name, message: command.data, ...command.properties });
  }
  return { log: log.at(-1) === '' ? log.slice(0, -1) : log, annotations, masks };
}

function parseCommand(line: string, token: string | undefined) {
  const current = /^\s*::([^\s:]+)(?: (.*?))?::(.*)$/.exec(line);
  const older = /##\[([^\s\]]+)(?: (.*?))?\](.*)$/.exec(line);
  const match = [current, older].find((one) => one !== null && [...COMMANDS, token].includes(one[1]));
  if (match === null || match === undefined) return undefined;
  const properties = (match[2] ?? '')
    .split(match === current ? ',' : ';')
    .filter(Boolean)
    .map((pair) => [pair.slice(0, pair.indexOf('=')), unescapeCommand(pair.slice(pair.indexOf('=') + 1))]);
  return {
    name: match[1]!,
    data: unescapeCommand(match[3]!),
    properties: Object.fromEntries(properties) as Record<string, string>,
  };
}

const unescapeCommand = (text: string) =>
  text
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%25', '%');

function readKeyValues(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const match of text.matchAll(/^(.+?)<<(\S+)\n([\s\S]*?)\n?\2$/gm)) values[match[1]!] = match[3]!;
  return values;
}
