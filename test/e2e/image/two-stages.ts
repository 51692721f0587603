import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import { readTar } from '../../../shared/content/index.ts';
import { run } from '../../../shared/exec/index.ts';
import { type RunContext, readInputs } from '../../../shared/host/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import {
  type BaseImages,
  type BuildKit,
  docker,
  type Engine,
  forgetSteps,
  type Tool,
} from '../../lab/index.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';

/** What the two stages are made from. */
export interface Sources {
  readonly one: string;
  readonly two: string;
}

/** What an image holds: the results of the two stages, and a random number of each run. */
export interface Content {
  readonly one: string;
  readonly two: string;
  readonly numberOne: string;
  readonly numberTwo: string;
}

export interface RunOptions {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: RunContext;
  readonly signal?: AbortSignal;
  /** Leaves the builder as the last run left it. */
  readonly warm?: boolean;
  readonly shape?: Shape;
  /** Called with what the run tells, before it tells anything. */
  readonly watch?: (host: MemoryHost) => void;
}

/** What a project has beside its two stages. */
export interface Shape {
  /** Commands in front of those of the RUNs, such as `sleep 5 && `. */
  readonly first?: string;
  /** Bytes of a further file of the first stage, which cannot be compressed. */
  readonly large?: number;
  /** A cache mount in the second stage. */
  readonly mount?: string;
}

/**
 * A project whose image is known from its sources alone: each of its two stages hashes a file. So a wrong image is told from a right
 * one, and the random numbers that the stages write tell a reused result from a new one, whatever went wrong in between.
 */
export class TwoStages {
  readonly #root: string;
  readonly #engine: Engine;
  readonly #crane: Tool;
  readonly #alpine: string;
  #kit: BuildKit;
  #builder = '';
  readonly #known = new Set<string>();

  constructor(have: { root: string; engine: Engine; crane: Tool; bases: BaseImages; kit: BuildKit }) {
    this.#root = have.root;
    this.#engine = have.engine;
    this.#crane = have.crane;
    this.#alpine = have.bases.references['alpine:3'];
    this.#kit = have.kit;
  }

  /** Makes a builder known to docker buildx; another one takes its place when it was killed. */
  async useBuilder(kit: BuildKit): Promise<void> {
    this.#kit = kit;
    const id = createHash('sha256').update(kit.address).digest('hex').slice(0, 8);
    this.#builder = `slipway-faults-${process.pid}-${id}`;
    if (this.#known.has(this.#builder)) return;
    this.#known.add(this.#builder);
    const create = ['buildx', 'create', '--name', this.#builder, '--driver', 'remote', kit.address];
    await docker(this.#engine, create);
  }

  /** A checkout of its own, with an environment in which nothing is remembered of earlier runs. */
  async checkout(
    sources: Sources,
    shape: Shape = {},
  ): Promise<{ folder: string; env: Record<string, string> }> {
    const folder = mkdtempSync(join(this.#root, 'run-'));
    makeContext(folder, { 'one.txt': sources.one, 'two.txt': sources.two });
    writeFileSync(join(folder, 'Dockerfile'), dockerfile(this.#alpine, shape));
    const home = `${folder}-home`;
    await mkdir(home);
    const path = `${join(this.#engine.docker, '..')}:${process.env.PATH}`;
    return { folder, env: { ...this.#engine.env, PATH: path, XDG_CACHE_HOME: join(home, 'cache') } };
  }

  inputs(image: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { tags: image, push: 'true', builder: this.#builder, lint: 'false', ...more };
  }

  /** Runs the action as a fresh runner does. */
  async build(sources: Sources, image: string, options: RunOptions = {}): Promise<MemoryHost> {
    const { folder, env } = await this.checkout(sources, options.shape);
    if (options.warm !== true) await forgetSteps(this.#kit);
    const host = await withEnvironment(options.env ?? {}, async () => memoryHost(folder, options.signal));
    options.watch?.(host);
    const inputs = this.inputs(image, options.inputs);
    const context = options.run ?? {
      trusted: true,
      repository: 'org/app',
      branch: 'main',
      defaultBranch: 'main',
    };
    await withEnvironment({ ...env, ...options.env }, () =>
      main(
        { ...host, run: context },
        readInputs(definition, (name) => inputs[name]),
      ),
    ).catch((error: unknown) => {
      throw Object.assign(error as Error, { log: host.lines });
    });
    return host;
  }

  /** The image as a registry's user gets it; throws where it is not whole. */
  async read(image: string): Promise<Content> {
    await run({ program: this.#crane.program, args: ['validate', '--remote', image] });
    const files: Record<string, string> = {};
    await run({
      program: this.#crane.program,
      args: ['export', image, '-'],
      consume: async (stdout) => {
        for await (const { entry, content } of readTar(stdout)) {
          const chunks: Buffer[] = [];
          for await (const chunk of content) chunks.push(Buffer.from(chunk));
          files[entry.name] = Buffer.concat(chunks).toString().trim();
        }
      },
    });
    const { one = '', two = '', 'number-one': numberOne = '', 'number-two': numberTwo = '' } = files;
    return { one, two, numberOne, numberTwo };
  }
}

/** What the stages make of their sources. */
export function expected({ one, two }: Sources): Pick<Content, 'one' | 'two'> {
  const hash = (text: string) => `${createHash('sha256').update(text).digest('hex')}  -`;
  return { one: hash(one), two: hash(two) };
}

function dockerfile(alpine: string, { first = '', large, mount }: Shape): string {
  const big = large === undefined ? '' : `head -c ${large} /dev/urandom > /large && `;
  const stage = (name: string, flags: string, before: string) => `FROM ${alpine} AS ${name}
COPY ${name}.txt /in
RUN ${flags}${before}sha256sum < /in > /${name} && cat /proc/sys/kernel/random/uuid > /number-${name}
`;
  const cache = mount === undefined ? '' : `--mount=type=cache,target=${mount} `;
  const fill = mount === undefined ? '' : `head -c 200000 /dev/urandom > ${mount}/$(date +%s) && `;
  return `${stage('one', '', first + big)}${stage('two', cache, first + fill)}FROM scratch
COPY --from=one /one /number-one ${large === undefined ? '' : '/large '}/
COPY --from=two /two /number-two /
`;
}

let depth = 0;
let original: NodeJS.ProcessEnv = {};

/** Runs at the same time share what the last of them has set; the environment is as it was when none is left. */
async function withEnvironment<T>(
  more: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  if (depth++ === 0) original = { ...process.env };
  Object.assign(process.env, more);
  try {
    return await work();
  } finally {
    depth -= 1;
    if (depth === 0) {
      for (const name of Object.keys(process.env)) if (original[name] === undefined) delete process.env[name];
      Object.assign(process.env, original);
    }
  }
}
