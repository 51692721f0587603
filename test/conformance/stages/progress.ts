/** What a builder did of a Dockerfile, as its own progress tells it. */
export interface Steps {
  /** RUN instructions that were run, by stage: its name, or `stage-N`. */
  readonly ran: ReadonlySet<string>;
  /** Stages of which any instruction was carried out. */
  readonly touched: ReadonlySet<string>;
  /** Whether every instruction of every stage was there already. */
  readonly allCached: boolean;
}

interface Vertex {
  readonly digest: string;
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: boolean;
}

/** `[linux/amd64 build 2/4] RUN make`; a Dockerfile of one unnamed stage has no name in the brackets. */
const STEP = /^\[(?:\w+\/\S+ )?(?:(?:\w+\/\S+->)?(?<stage>[^\s\]/]+) )?\d+\/\d+\] (?<instruction>.*)$/s;

/** Reads `--progress=rawjson`: one JSON object a line; a vertex is told several times, with more known each time. */
export function readSteps(rawjson: string): Steps {
  const vertices = new Map<string, Vertex>();
  for (const line of rawjson.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { vertexes = [] } = JSON.parse(line) as { vertexes?: readonly Vertex[] };
    for (const one of vertexes) vertices.set(one.digest, { ...vertices.get(one.digest), ...one });
  }
  const ran = new Set<string>();
  const touched = new Set<string>();
  let allCached = true;
  for (const { name, cached, started } of vertices.values()) {
    const { stage, instruction } = STEP.exec(name)?.groups ?? {};
    if (instruction === undefined || instruction.startsWith('FROM ')) continue;
    if (cached === true || started === undefined) continue;
    allCached = false;
    touched.add(stage ?? 'stage-0');
    if (/^(ONBUILD )?RUN /.test(instruction)) ran.add(stage ?? 'stage-0');
  }
  return { ran, touched, allCached };
}
