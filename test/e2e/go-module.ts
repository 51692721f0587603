import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type GoBuildRequest,
  type GoBuildResult,
  type GoContext,
  goContext,
  planGoBuild,
  runGoBuild,
} from '../../shared/go/index.ts';
import type { Task } from '../../shared/host/index.ts';

/** A small module without dependencies in a folder of its own, and a `go` on its PATH that notes how it was called. */
export class GoModule implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'go-build-'));
  readonly root = join(this.folder, 'module');
  readonly #calls = join(this.folder, 'calls');
  readonly #bin = join(this.folder, 'go', 'bin');
  readonly #env: Record<string, string>;

  constructor(program: string, env: Record<string, string> = {}) {
    this.write('go.mod', 'module example.com/shop\n\ngo 1.24\n');
    this.write(
      'cmd/app/main.go',
      'package main\n\nimport (\n\t_ "embed"\n\n\t"example.com/shop/internal/store"\n)\n\n//go:embed motd.txt\nvar motd string\n\nvar version = "none"\n\nfunc main() { println(motd, version, store.Name()) }\n',
    );
    this.write('cmd/app/motd.txt', 'hello');
    this.write('internal/store/store.go', 'package store\n\nfunc Name() string { return name }\n');
    this.write('internal/store/name.go', 'package store\n\nvar name = "shop"\n');
    this.write('internal/store/store_test.go', 'package store\n');
    this.write('README.md', '# shop\n');
    // It lies in a folder like a distribution's, which tells its version.
    mkdirSync(this.#bin, { recursive: true });
    writeFileSync(
      join(this.#bin, 'go'),
      `#!/bin/sh\necho "$@" >> '${this.#calls}'\nexec '${program}' "$@"\n`,
    );
    chmodSync(join(this.#bin, 'go'), 0o755);
    const distribution = dirname(dirname(realpathSync(program)));
    for (const name of ['VERSION', 'go.env'])
      copyFileSync(join(distribution, name), join(dirname(this.#bin), name));
    this.#env = env;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.root, name)), { recursive: true });
    writeFileSync(join(this.root, name), text);
  }

  remove(name: string): void {
    rmSync(join(this.root, name));
  }

  read(path: string): Buffer {
    return readFileSync(join(this.root, path));
  }

  /** The calls of go so far, each as its arguments; none is kept for the next time. */
  takeCalls(): string[] {
    if (!existsSync(this.#calls)) return [];
    const calls = readFileSync(this.#calls, 'utf8').split('\n').filter(Boolean);
    rmSync(this.#calls);
    return calls;
  }

  context(env: Record<string, string> = {}, signal?: AbortSignal): GoContext {
    const path = `${this.#bin}:${process.env.PATH}`;
    return { ...goContext(signal), env: { ...process.env, GOFLAGS: '', ...this.#env, PATH: path, ...env } };
  }

  request(request: Partial<GoBuildRequest> = {}): GoBuildRequest {
    return { directory: this.root, workspace: this.root, ...request };
  }

  async plan(request: Partial<GoBuildRequest> = {}, env: Record<string, string> = {}) {
    return planGoBuild(this.request(request), this.context(env));
  }

  async build(
    request: Partial<GoBuildRequest> = {},
    env: Record<string, string> = {},
    options: Parameters<typeof runGoBuild>[2] = {},
  ): Promise<GoBuildResult> {
    return runGoBuild(await this.plan(request, env), quiet, options);
  }
}

/** A task that shows nothing and keeps nothing. */
export const quiet: Task = {
  task: (_, work) => work(quiet),
  log: () => {},
  note: () => {},
};
