import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { readInputs } from '../../../shared/host/index.ts';
import { type BuildKit, docker, type Engine, forgetSteps, type Tool } from '../../lab/index.ts';
import { memoryHost } from '../../unit/image/host.ts';
import { comparable } from '../image/reference.ts';
import { type Seen, unpack } from './oracle.ts';
import { readSteps, type Steps } from './progress.ts';
import type { Checkout, State } from './state.ts';

export interface OurBuild {
  readonly images: Readonly<Record<string, Seen>>;
  readonly digest: string;
  /** What our report says: the image was there already. */
  readonly reused: boolean;
  /** What the builder says that it did for us, whatever our report says. */
  readonly steps: Steps;
  /** How often a builder was called. */
  readonly builds: number;
  readonly log: readonly string[];
}

/** The action as a fresh runner has it: an empty builder, an empty cache folder, a checkout of its own. Only the registry stays. */
export class Ours {
  readonly #kit: BuildKit;
  readonly #reader: BuildKit;
  readonly #crane: Tool;
  readonly #folder: string;
  readonly #engine: Engine;
  readonly #before: NodeJS.ProcessEnv = { ...process.env };

  constructor(have: { kit: BuildKit; reader: BuildKit; crane: Tool; engine: Engine; folder: string }) {
    this.#kit = have.kit;
    this.#reader = have.reader;
    this.#crane = have.crane;
    this.#folder = have.folder;
    this.#engine = have.engine;
  }

  get #builder(): string {
    return `slipway-stages-${process.pid}`;
  }

  /** Puts a `docker` first on the PATH that notes what the builder tells, and does nothing else. */
  async open(): Promise<void> {
    const create = ['buildx', 'create', '--name', this.#builder, '--driver', 'remote', this.#kit.address];
    await docker(this.#engine, create);
    const bin = join(this.#folder, 'bin');
    await mkdir(bin);
    writeFileSync(join(bin, 'docker'), SPY);
    chmodSync(join(bin, 'docker'), 0o755);
    Object.assign(process.env, this.#engine.env, {
      PATH: `${bin}:${this.#before.PATH}`,
      SLIPWAY_SPIED_PROGRAM: this.#engine.docker,
    });
  }

  async close(): Promise<void> {
    await docker(this.#engine, ['buildx', 'rm', this.#builder]).catch(() => {});
    for (const name of Object.keys(process.env))
      if (this.#before[name] === undefined) delete process.env[name];
    Object.assign(process.env, this.#before);
  }

  async build(
    state: State,
    checkout: Checkout,
    image: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<OurBuild> {
    await forgetSteps(this.#kit);
    const home = `${checkout.folder}-home`;
    await mkdir(home);
    const told = join(home, 'told');
    Object.assign(process.env, { XDG_CACHE_HOME: join(home, 'cache'), SLIPWAY_SPY: told });
    const host = memoryHost(checkout.folder);
    const context = { trusted: true, repository: 'org/app', branch: 'main', defaultBranch: 'main' };
    const inputs: Record<string, string> = {
      tags: image,
      push: 'true',
      builder: this.#builder,
      lint: 'false',
      'build-args': lines(checkout.args),
      labels: lines(state.labels),
      'build-contexts': lines(checkout.contexts),
      'secret-files': lines(checkout.secrets),
      platforms: state.platforms.join(','),
      target: state.target ?? '',
      ...more,
    };
    const given = readInputs(definition, (name) => inputs[name]);
    try {
      await main({ ...host, run: context }, given);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${host.lines.join('\n')}`, { cause: error });
    }
    const images = await Promise.all(
      state.platforms.map(
        async (platform) => [platform, await this.#look(image, platform, checkout.folder)] as const,
      ),
    );
    return {
      images: Object.fromEntries(images),
      digest: host.outputs.digest!,
      reused: host.outputs.reused === 'true',
      steps: readSteps(readIfThere(`${told}.progress`)),
      builds: readIfThere(`${told}.calls`).match(/^buildx build /gm)?.length ?? 0,
      log: host.lines,
    };
  }

  /** The image as a registry's user gets it, read by programs that are not ours. */
  async #look(image: string, platform: string, folder: string): Promise<Seen> {
    const config = run({ program: this.#crane.program, args: ['config', '--platform', platform, image] });
    const tree = await unpack(this.#reader, image, platform, folder);
    return { config: comparable(JSON.parse((await config).stdout.toString())), tree };
  }
}

const SPY = `#!/bin/bash
echo "$*" | tr '\\n' ' ' | sed 's/ $/\\n/' >> "$SLIPWAY_SPY.calls"
{ "$SLIPWAY_SPIED_PROGRAM" "$@" 2>&1 1>&3 3>&- | tee -a "$SLIPWAY_SPY.progress" >&2; exit "\${PIPESTATUS[0]}"; } 3>&1
`;

const readIfThere = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function lines(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}
