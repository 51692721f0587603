import { createHash } from 'node:crypto';
import { appendFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import type { Bases } from './bases.ts';
import { type Example, edit, go, placeOf, type Scenario } from './examples.ts';

/** A state of the example's repository: what a runner checks out. */
export interface Commit {
  readonly sha: string;
  /** Digest of Go sources, go.mod and go.sum: what the key of a cache of compiled packages is made of. */
  readonly sources: string;
  /** Digest of go.sum. */
  readonly sums: string;
  /** What the Dockerfile's RUN stamps into main.version. */
  readonly version: string;
  /** Texts that the binary of this state holds, and no earlier one holds all of. */
  readonly markers: readonly string[];
}

const project = join(import.meta.dirname, '../../..');

/** The example's repository with a commit for each scenario, which all contenders build. */
export class Repository {
  readonly directory: string;
  readonly #example: Example;
  /** Where the example is, as often as it is there; the first is what is edited. */
  readonly #folders: readonly string[];
  /** Texts that tell this state's binary from others, by the place where they are. */
  readonly #markers = new Map<string, string>();
  #commits = 0;
  #version = 'dev';

  private constructor(example: Example, directory: string, folders: readonly string[]) {
    this.#example = example;
    this.directory = directory;
    this.#folders = folders;
  }

  /** Copies the example as Git has it, with its bases taken from the bench's registry and with what ko wants to be told. */
  static async create(
    example: Example,
    directory: string,
    bases: Bases,
    folders: readonly string[] = ['.'],
  ): Promise<Repository> {
    const repository = new Repository(example, directory, folders);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const root = `examples/${example.name}`;
    const tracked = await git(project, ['ls-files', '-z', root]);
    const paths = tracked.split('\0').filter(Boolean);
    for (const folder of folders) {
      for (const path of paths)
        await cp(join(project, path), join(directory, folder, path.slice(root.length + 1)));
      // Services of one repository are not the same program.
      if (folders.length > 1)
        await appendFile(join(directory, folder, example.leaf.file), `\n// Service ${folder}\n`);
      await repository.#takeBasesFrom(bases, folder);
    }
    await repository.#tellKo(bases);
    await git(directory, ['init', '--quiet', '--initial-branch', 'main']);
    return repository;
  }

  async commit(scenario: Scenario, round: number, bases: Bases): Promise<Commit> {
    const edited = join(this.directory, this.#folders[0]!);
    const number = this.#commits++;
    const text = `slipway-bench-${round}-${number}-${scenario.replaceAll(/\W+/g, '-')}`;
    const change = { scenario, number, text };
    await edit(this.#example, edited, change);
    const place = placeOf(change);
    if (place !== undefined) this.#markers.set(place, text);
    if (scenario === 'RUN changed') this.#version = text;
    await this.#tellKo(bases);
    // All modules are in the machine's download cache afterwards, from which the bench's module proxy serves.
    await go(edited, ['mod', 'download']);
    await git(this.directory, ['add', '--all']);
    // biome-ignore format: a flag with its value
    await git(this.directory, [
      '-c', 'user.name=bench', '-c', 'user.email=bench@example.com',
      'commit', '--quiet', '--allow-empty', '--message', scenario,
    ]);
    return {
      sha: await git(this.directory, ['rev-parse', 'HEAD']),
      sources: await this.#digest([':/*.go', ':/*go.mod', ':/*go.sum']),
      sums: await this.#digest([':/*go.sum']),
      version: this.#version,
      markers: [...this.#markers.values()],
    };
  }

  /** A clone as actions/checkout makes it: one commit, and files as old as the clone. */
  async checkout(into: string): Promise<void> {
    const source = `file://${this.directory}`;
    await run({
      program: 'git',
      args: ['clone', '--quiet', '--depth', '1', '--branch', 'main', source, into],
    });
  }

  async #digest(paths: readonly string[]): Promise<string> {
    const listed = await git(this.directory, ['ls-files', '--stage', '--', ...paths]);
    return createHash('sha256').update(listed).digest('hex').slice(0, 32);
  }

  async #takeBasesFrom(bases: Bases, folder: string): Promise<void> {
    const file = join(this.directory, folder, this.#example.dockerfile);
    const text = await readFile(file, 'utf8');
    const taken = text
      .replace('golang:1.26', bases.golang)
      .replace('gcr.io/distroless/static-debian12:nonroot', bases.final);
    await writeFile(file, taken);
  }

  /** What the Dockerfile says with FROM and -ldflags, in ko's words. */
  async #tellKo(bases: Bases): Promise<void> {
    const build = {
      id: this.#example.name,
      main: this.#example.package,
      ldflags: ['-s', '-w', `-X main.version=${this.#version}`],
    };
    const configuration = { defaultBaseImage: bases.final, builds: [build] };
    await writeFile(join(this.directory, '.ko.yaml'), `${JSON.stringify(configuration, null, 2)}\n`);
  }
}

async function git(directory: string, args: readonly string[]): Promise<string> {
  const finished = await run({ program: 'git', args, cwd: directory });
  return finished.stdout.toString().trim();
}
