import type {
  CopyStep,
  Dockerfile,
  Lines,
  ResolvedStage,
  RunStep,
  StageGraph,
} from '../../dockerfile/index.ts';
import { hasWildcards, isWritten } from '../../dockerfile/index.ts';
import { isPlain, type MountUse } from './cache-mount.ts';

/** What was done, or could not be, for RUNs of Go that have no cache mounts. */
export interface GoCacheNote {
  readonly message: string;
  readonly lines: Lines;
}

/** Mounts that are added to RUNs, and what there is to say about it. */
export interface GoCacheMounts {
  readonly uses: readonly MountUse[];
  readonly notes: readonly GoCacheNote[];
}

/**
 * Cache mounts for Go's folders in stages that call go and have none there. What lies in a mount is not in the stage's files any more,
 * so the modules are mounted in every RUN from then on, and where an image or another stage would take files of a folder, nothing is
 * added: the image must be the one that the Dockerfile describes.
 */
export function goCacheMounts(dockerfile: Dockerfile, graph: StageGraph): GoCacheMounts {
  const own = graph.stages.filter((stage) => runsOf(stage).some(callsGo));
  const all = (['GOCACHE', 'GOMODCACHE'] as const).flatMap((name) =>
    own
      .filter((stage) => !own.some((other) => buildsOn(graph, stage, other)))
      .map((stage) => addTo(dockerfile, graph, stage, name)),
  );
  return { uses: all.flatMap(({ uses }) => uses), notes: all.flatMap(({ notes }) => notes) };
}

type Variable = 'GOCACHE' | 'GOMODCACHE';

function addTo(
  dockerfile: Dockerfile,
  graph: StageGraph,
  first: ResolvedStage,
  name: Variable,
): GoCacheMounts {
  const family = graph.stages.filter((stage) => stage === first || buildsOn(graph, stage, first));
  const steps = family.flatMap((stage) => runsOf(stage).map((step) => ({ stage, step })));
  const go = steps.find(({ step }) => callsGo(step))!;
  const { lines } = go.step;
  const because = (reason: string): GoCacheMounts => ({
    uses: [],
    notes: [{ message: `go-cache adds no mount for ${name}: ${reason}`, lines }],
  });
  const folder = folderOf(go.step, name);
  if (folder === undefined) return because('the home of its user is not known; set it by ENV');
  if (!isPlain(folder))
    return because(`the folder ${JSON.stringify(folder)} has characters that a flag cannot hold plainly`);
  if (steps.some(({ step }) => step.mounts.some(({ target }) => target === folder)))
    return { uses: [], notes: [] };
  const reader = readerOf(graph, family, folder);
  if (reader !== undefined) return because(reader);
  const added = steps.filter(
    ({ step }) => (name === 'GOMODCACHE' || callsGo(step)) && folderOf(step, name) === folder,
  );
  const foreign = added.find(({ step }) => !isWritten(dockerfile, step.lines, 'RUN'));
  if (foreign !== undefined) return because('a trigger (ONBUILD) of a base image calls go');
  const uses = added.map(
    ({ stage, step }): MountUse => ({ stage, step, nth: undefined, mount: mountAt(folder, go.step) }),
  );
  const message = `go-cache adds --mount=type=cache,target=${folder} to ${linesOf(uses)}`;
  return { uses, notes: [{ message, lines }] };
}

/** Who may write into a mount is decided when it is made; the number behind a user's name is not known here. */
function mountAt(target: string, { user }: RunStep): MountUse['mount'] {
  const root = /^(root|0)?(:.*)?$/.test(user);
  return {
    type: 'cache',
    target,
    from: undefined,
    options: { readonly: 'false', ...(!root && { mode: '0777' }) },
  };
}

function linesOf(uses: readonly MountUse[]): string {
  const lines = [...new Set(uses.map(({ step }) => step.lines.start))].sort((a, b) => a - b);
  return `line${lines.length === 1 ? '' : 's'} ${lines.join(', ')}`;
}

function runsOf({ steps }: ResolvedStage): RunStep[] {
  return steps.filter((step) => step.kind === 'run');
}

const GO =
  /(?:^|[\s;&|(])(?:\/usr\/local\/go\/bin\/)?go\s+(?:build|test|install|vet|run|list|mod\s+(?:download|verify|vendor))\b/m;

function callsGo({ shell, command, heredocs }: RunStep): boolean {
  if (!shell) return typeof command !== 'string' && GO.test(command.join(' '));
  return [String(command), ...heredocs.map(({ content }) => content)].some((text) => GO.test(text));
}

/** Where Go keeps things (go help environment), as far as the stage's variables say. */
function folderOf({ env, user }: RunStep, name: Variable): string | undefined {
  const home = env.HOME || (/^(root|0)?(:.*)?$/.test(user) ? '/root' : undefined);
  const below = (folder: string | undefined, path: string) => (folder ? `${folder}/${path}` : undefined);
  const path =
    name === 'GOCACHE'
      ? env.GOCACHE || below(env.XDG_CACHE_HOME || below(home, '.cache'), 'go-build')
      : env.GOMODCACHE || below(env.GOPATH?.split(':')[0] || below(home, 'go'), 'pkg/mod');
  return path?.startsWith('/') ? path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1') : undefined;
}

/** Whether a stage starts from another, directly or not. */
function buildsOn(graph: StageGraph, stage: ResolvedStage, other: ResolvedStage): boolean {
  const { base } = stage;
  if (base.kind !== 'stage') return false;
  if (base.index === other.index) return true;
  const below = graph.stages.find(({ index }) => index === base.index);
  return below !== undefined && buildsOn(graph, below, other);
}

/** What would miss the folder's files. */
function readerOf(graph: StageGraph, family: readonly ResolvedStage[], folder: string): string | undefined {
  const indexes = new Set(family.map(({ index }) => index));
  if (indexes.has(graph.target))
    return 'its stage is the image itself, which would lack what is in the folder';
  for (const { steps } of graph.stages)
    for (const step of steps) {
      const reads =
        step.kind === 'copy' || step.kind === 'add'
          ? step.from.kind === 'stage' && indexes.has(step.from.index) && copiesFrom(step, folder)
          : step.kind === 'run' &&
            step.mounts.some(
              ({ from, options }) =>
                from?.kind === 'stage' && indexes.has(from.index) && overlaps(options.source ?? '/', folder),
            );
      if (reads) return `line ${step.lines.start} takes files from ${folder}`;
    }
  return undefined;
}

function copiesFrom({ sources }: CopyStep, folder: string): boolean {
  return sources.some((source) => {
    const names = source.split('/').filter(Boolean);
    const pattern = names.findIndex(hasWildcards);
    return overlaps(`/${(pattern === -1 ? names : names.slice(0, pattern)).join('/')}`, folder);
  });
}

function overlaps(one: string, other: string): boolean {
  const [a, b] = [`${one.replace(/\/+$/, '')}/`, `${other}/`];
  return a.startsWith(b) || b.startsWith(a);
}
