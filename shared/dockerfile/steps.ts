import { Failure } from '../host/index.ts';
import { checkCopy, copyStep } from './copy-step.ts';
import { commit, type Draft, present, setEnv } from './draft.ts';
import { formatDuration } from './duration.ts';
import { expand } from './expand.ts';
import { cleanPath, plainList, quoteList } from './go-text.ts';
import type { HealthcheckStatement, Statement } from './instruction.ts';
import type { Step } from './model.ts';
import { parsePorts } from './ports.ts';
import { runStep } from './run-step.ts';
import { expandWord, resolveDirectory, type Scene, withShell } from './scene.ts';
import { checkSignal } from './signals.ts';
import { type Command, guarded } from './stages.ts';

/** Applies one instruction to the stage's configuration, and tells what is to be executed. ONBUILD executes nothing. */
export function applyCommand(scene: Scene, command: Command): Step | undefined {
  const { statement, instruction } = command;
  switch (statement.kind) {
    case 'copy':
    case 'add':
      return copyStep(scene, command, checkCopy(scene, statement));
    case 'run':
      return runStep(scene, command, statement);
    case 'workdir':
      return applyWorkdir(scene, command, expandWord(scene, statement.text));
    case 'onbuild':
      scene.draft.config.OnBuild = [...(scene.draft.config.OnBuild ?? []), statement.text];
      return undefined;
    default: {
      const createdBy = applyConfig(scene, statement);
      commit(scene.draft, createdBy, false);
      return { kind: 'config', keyword: instruction.keyword, lines: instruction.lines, createdBy };
    }
  }
}

function applyWorkdir(scene: Scene, { instruction }: Command, given: string): Step {
  const { draft } = scene;
  const path = resolveDirectory(draft.config.WorkingDir ?? '', given);
  draft.config.WorkingDir = path;
  const createdBy = `WORKDIR ${path}`;
  commit(draft, createdBy, path !== '/');
  const { lines } = instruction;
  // BuildKit makes no layer for the root.
  if (path === '/') return { kind: 'config', keyword: 'WORKDIR', lines, createdBy };
  const user = draft.config.User ? { user: draft.config.User } : {};
  return { kind: 'workdir', path: cleanPath(path), lines, createdBy, ...user };
}

type ConfigStatement = Exclude<
  Statement,
  { kind: 'copy' | 'add' | 'run' } | { kind: 'workdir' } | { kind: 'onbuild' }
>;

/** Changes the configuration and gives the line for the history. */
function applyConfig(scene: Scene, statement: ConfigStatement): string {
  const { draft } = scene;
  switch (statement.kind) {
    case 'env':
      return applyPairs(scene, 'ENV', statement.pairs, (key, value) => setEnv(draft, key, value));
    case 'label':
      return applyPairs(scene, 'LABEL', statement.pairs, (key, value) => {
        draft.config.Labels = { ...draft.config.Labels, [key]: value };
      });
    case 'arg':
      return applyArgs(scene, statement.args);
    case 'cmd':
    case 'entrypoint':
      return applyLine(
        scene,
        statement.kind,
        statement.json ? statement.words : withShell(scene, statement.words),
      );
    case 'shell':
      draft.config.Shell = statement.words;
      return `SHELL ${plainList(statement.words)}`;
    case 'user':
      draft.config.User = expandWord(scene, statement.text);
      return `USER ${draft.config.User}`;
    case 'maintainer':
      draft.image.author = statement.text;
      return `MAINTAINER ${statement.text}`;
    case 'stopsignal':
      draft.config.StopSignal = expandWord(scene, statement.text);
      checkSignal(draft.config.StopSignal);
      return `STOPSIGNAL ${draft.config.StopSignal}`;
    case 'healthcheck':
      return applyHealthcheck(draft, statement);
    case 'expose':
      return applyExpose(scene, statement.words);
    case 'volume':
      return applyVolume(scene, statement.words);
    case 'from':
      throw new Error('FROM opens a stage and is no command of one');
  }
}

function applyPairs(
  scene: Scene,
  keyword: string,
  pairs: readonly { readonly key: string; readonly value: string }[],
  set: (key: string, value: string) => void,
): string {
  // All are expanded before the first is set: `ENV a=1 b=$a` does not see the new a.
  const expanded = pairs.map(({ key, value }) => [expandWord(scene, key), expandWord(scene, value)] as const);
  for (const [key, value] of expanded) set(key, value);
  return [keyword, ...expanded.map(([key, value]) => `${key}=${value}`)].join(' ');
}

function applyArgs(
  scene: Scene,
  args: readonly { readonly key: string; readonly value: string | undefined }[],
): string {
  const texts = args.map(({ key, value: fallback }) => {
    const value = argValue(scene, key, fallback);
    scene.draft.args.push({ key, value });
    if (value === undefined) return key;
    // These two steer the SBOM scanner and are seen by no command.
    if (key !== 'BUILDKIT_SBOM_SCAN_CONTEXT' && key !== 'BUILDKIT_SBOM_SCAN_STAGE')
      scene.draft.env.set(key, value);
    scene.args[key] = value;
    return `${key}=${value}`;
  });
  return `ARG ${texts.join(' ')}`;
}

/** What was given wins over the default of the stage, which wins over the default before the first FROM. */
function argValue(scene: Scene, key: string, fallback: string | undefined): string | undefined {
  if (Object.hasOwn(scene.buildArgs, key)) return scene.buildArgs[key];
  return fallback === undefined ? scene.globals.get(key) : expandWord(scene, fallback);
}

function applyLine(scene: Scene, kind: 'cmd' | 'entrypoint', argv: readonly string[]): string {
  const { config } = scene.draft;
  if (kind === 'cmd') {
    config.Cmd = argv;
    config.ArgsEscaped = true;
    scene.cmdIsSet = true;
    return `CMD ${quoteList(argv)}`;
  }
  config.Entrypoint = argv;
  // The base's CMD was made for the base's ENTRYPOINT.
  if (!scene.cmdIsSet) delete config.Cmd;
  return `ENTRYPOINT ${quoteList(argv)}`;
}

function applyHealthcheck(draft: Draft, statement: HealthcheckStatement): string {
  const { test, interval, timeout, startPeriod, startInterval, retries } = statement;
  draft.config.Healthcheck = present({
    Test: test,
    Interval: interval,
    Timeout: timeout,
    StartPeriod: startPeriod,
    StartInterval: startInterval,
    Retries: retries,
  });
  const times = [interval, timeout, startPeriod, startInterval].map(formatDuration);
  return `HEALTHCHECK {Test:${plainList(test)} Interval:${times[0]} Timeout:${times[1]} StartPeriod:${times[2]} StartInterval:${times[3]} Retries:${retries}}`;
}

function applyExpose(scene: Scene, words: readonly string[]): string {
  const options = { escape: scene.dockerfile.directives.escape };
  const ports = words
    .flatMap((word) => guarded(word, () => expand(word, (name) => scene.draft.env.get(name), options).words))
    .flatMap(parsePorts);
  const added = Object.fromEntries(ports.map((port) => [port, {}]));
  scene.draft.config.ExposedPorts = { ...scene.draft.config.ExposedPorts, ...added };
  return `EXPOSE ${plainList(ports)}`;
}

function applyVolume(scene: Scene, words: readonly string[]): string {
  const volumes = words.map((word) => expandWord(scene, word));
  if (volumes.includes(''))
    throw new Failure(`VOLUME ${words.join(' ')} has a path that is empty when its variables are filled in.`);
  const added = Object.fromEntries(volumes.map((volume) => [volume, {}]));
  scene.draft.config.Volumes = { ...scene.draft.config.Volumes, ...added };
  return `VOLUME ${plainList(volumes)}`;
}
