import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CompileFailure, planGoBuild, runGoBuild } from '../../shared/go/index.ts';
import { Failure } from '../../shared/host/index.ts';
import { describeWith, go } from '../lab/index.ts';
import { GoModule, quiet } from './go-module.ts';

describeWith('go-build with the real toolchain', { go: go() }, (have) => {
  let module: GoModule;
  beforeEach(() => {
    module = new GoModule(have.go.program);
  });
  afterEach(() => module[Symbol.dispose]());

  it('builds for four targets at once, each for its system, and leaves nothing else behind', async () => {
    const targets = ['linux/amd64', 'linux/arm/v7', 'windows/amd64', 'darwin/arm64'];
    const { programs } = await module.build({ targets });
    expect(programs.map(({ path }) => path)).toEqual(
      ['app_linux_amd64', 'app_linux_arm_v7', 'app_windows_amd64.exe', 'app_darwin_arm64'].map((name) =>
        join(module.root, 'dist', name),
      ),
    );
    const magic = programs.map(({ path }) => readFileSync(path).subarray(0, 4).toString('hex'));
    expect(magic).toEqual(['7f454c46', '7f454c46', expect.stringMatching(/^4d5a/), 'cffaedfe']);
    for (const program of programs) {
      const bytes = readFileSync(program.path);
      expect(program.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
      expect(program).toMatchObject({
        name: 'app',
        size: bytes.length,
        reused: false,
        package: 'example.com/shop/cmd/app',
      });
      expect(program.goVersion).toBe(program.buildInfo.GoVersion);
      expect(statSync(program.path).mode & 0o777).toBe(0o755);
    }
    const settings = Object.fromEntries(
      programs[1]!.buildInfo.Settings!.map(({ Key, Value }) => [Key, Value]),
    );
    expect(settings).toMatchObject({ GOARM: '7', GOARCH: 'arm', '-trimpath': 'true', CGO_ENABLED: '0' });
    expect(readdirSync(join(module.root, 'dist'))).toHaveLength(4);
    expect(readdirSync(join(module.root, '.slipway/go')).filter((name) => name.startsWith('tmp'))).toEqual(
      [],
    );
  });

  it('names packages whose C code is left out, until somebody chose', async () => {
    expect((await module.build()).notices).toEqual([]);
    module.write(
      'internal/store/native.go',
      'package store\n\n// int one(void) { return 1; }\nimport "C"\n\nfunc One() int { return int(C.one()) }\n',
    );
    const notice =
      'example.com/shop/internal/store has C code, which is left out since cgo is off: set "cgo" to on if the program needs it, or to off if it does not.';
    expect((await module.build()).notices).toEqual([notice]);
    const again = await module.build();
    expect([again.programs[0]!.reused, again.notices]).toEqual([true, [notice]]);
    expect((await module.build({ flags: { cgo: 'off' } })).notices).toEqual([]);
  });

  it('does not start go when nothing changed', async () => {
    const targets = ['linux/amd64', 'linux/arm64'];
    await module.build({ targets });
    expect(module.takeCalls().length).toBeGreaterThan(0);
    const { programs } = await module.build({ targets });
    expect(programs.map(({ reused, because }) => [reused, because])).toEqual(
      targets.map(() => [true, 'nothing that it is made of changed']),
    );
    expect(module.takeCalls()).toEqual([]);
  });

  // Each edit is made to a module that was built; `undefined`: nothing has to be built.
  it.each<[string, (module: GoModule) => void, string | undefined]>([
    [
      'a leaf file',
      (m) => m.write('internal/store/name.go', 'package store\n\nvar name = "x"\n'),
      'internal/store/name.go changed',
    ],
    ['an embedded file', (m) => m.write('cmd/app/motd.txt', 'bye'), 'cmd/app/motd.txt changed'],
    ['go.mod', (m) => m.write('go.mod', 'module example.com/shop\n\ngo 1.23\n'), 'go.mod changed'],
    [
      'an added file',
      (m) => m.write('internal/store/init.go', 'package store\n\nfunc init() { name += "!" }\n'),
      'internal/store/init.go is new',
    ],
    [
      'a removed file',
      (m) => {
        m.write('internal/store/store.go', 'package store\n\nfunc Name() string { return "x" }\n');
        m.remove('internal/store/name.go');
      },
      'internal/store/store.go changed, and 1 more file',
    ],
    ['a profile', (m) => m.write('cmd/app/default.pgo', ''), 'there is a profile (PGO)'],
    [
      'the output',
      (m) => writeFileSync(join(m.root, 'dist/app_linux_amd64'), 'x'),
      'dist/app_linux_amd64 is not what was built',
    ],
    ['the output, removed', (m) => m.remove('dist/app_linux_amd64'), 'dist/app_linux_amd64 is not there'],
    ['a test', (m) => m.write('internal/store/store_test.go', 'package store\n\n// x\n'), undefined],
    ['an added test', (m) => m.write('cmd/app/main_test.go', 'package main\n'), undefined],
    ['a document', (m) => m.write('README.md', 'x'), undefined],
    ['a document beside the sources', (m) => m.write('internal/store/README.md', 'x'), undefined],
    [
      'a package that is not imported',
      (m) => m.write('internal/other/other.go', 'package other\n'),
      undefined,
    ],
    [
      'a file for another system',
      (m) => m.write('internal/store/x_windows.go', 'package store\n'),
      undefined,
    ],
    ['times alone', (m) => utimesSync(join(m.root, 'cmd/app/main.go'), 1, 1), undefined],
  ])('knows what an edit means: %s', async (_, edit, because) => {
    const targets = ['linux/amd64'];
    const before = (await module.build({ targets })).programs[0]!;
    edit(module);
    module.takeCalls();
    const after = (await module.build({ targets })).programs[0]!;
    expect(after).toMatchObject(
      because === undefined ? { reused: true, digest: before.digest } : { reused: false, because },
    );
    if (because === undefined) expect(module.takeCalls()).toEqual([]);
    // The program is always that of the sources as they are now.
    const fresh = (await module.build({ targets, reuse: false })).programs[0]!;
    expect(fresh).toMatchObject({ reused: false, digest: after.digest });
  });

  it.each<[string, object, Record<string, string>, string]>([
    ['a flag', { flags: { ldflags: '' } }, {}, 'ldflags changed: -s -w → none'],
    [
      'a stamp',
      { flags: { stamp: ['main.version=2'] } },
      {},
      'ldflags changed: -s -w → -s -w -X main.version=2',
    ],
    ['the environment', {}, { GOAMD64: 'v2' }, "the environment's GOAMD64 changed: none → v2"],
    ['a tag', { flags: { tags: ['x'] } }, {}, 'tags changed: none → x'],
    ['cgo, which nothing here uses but could', { flags: { cgo: 'on' } }, {}, 'cgo changed: false → true'],
  ])('builds again for %s', async (_, request, env, because) => {
    const targets = ['linux/amd64'];
    await module.build({ targets });
    const [program] = (await module.build({ targets, ...request }, env)).programs;
    expect(program).toMatchObject({ reused: false, because });
    expect((await module.build({ targets, ...request }, env)).programs[0]!.reused).toBe(true);
  });

  it('finds a main package that was added, and only asks go list then', async () => {
    await module.build({ targets: ['linux/amd64'] });
    module.write('cmd/tool/main.go', 'package main\n\nfunc main() {}\n');
    const { programs } = await module.build({ targets: ['linux/amd64'] });
    expect(programs.map(({ name, reused }) => [name, reused])).toEqual([
      ['app', true],
      ['tool', false],
    ]);
    module.write('cmd/tool/main.go', 'package main\n\nfunc main() { println() }\n');
    module.takeCalls();
    await module.plan({ targets: ['linux/amd64'] });
    expect(module.takeCalls()).toEqual([]);
  });

  it('reuses what is equal although another program beside it changed', async () => {
    module.write('cmd/tool/main.go', 'package main\n\nfunc main() {}\n');
    await module.build({ targets: ['linux/amd64'] });
    module.write('cmd/tool/main.go', 'package main\n\nfunc main() { println() }\n');
    const { programs } = await module.build({ targets: ['linux/amd64'] });
    expect(programs.map(({ name, reused }) => [name, reused])).toEqual([
      ['app', true],
      ['tool', false],
    ]);
  });

  it('gives the same bytes in another folder, at another time, with another name and home', async () => {
    using other = new GoModule(have.go.program, { USER: 'somebody' });
    for (const name of ['cmd/app/main.go', 'go.mod']) utimesSync(join(other.root, name), 1, 1);
    const env = { GOCACHE: join(other.folder, 'cache'), HOME: join(other.folder, 'home') };
    const targets = ['linux/amd64'];
    const [here, there] = [
      await module.build({ targets, sbom: true }),
      await other.build({ targets, sbom: true }, env),
    ];
    expect(there.programs.map(({ digest }) => digest)).toEqual(here.programs.map(({ digest }) => digest));
    expect(there.programs.map(({ sbom }) => readFileSync(sbom!, 'utf8'))).toEqual(
      here.programs.map(({ sbom }) => readFileSync(sbom!, 'utf8')),
    );
  });

  it('proves reproducibility, and names the setting where it fails', async () => {
    const [program] = (await module.build({ targets: ['linux/amd64'], verify: true })).programs;
    expect(program!.reproduction).toMatchObject({ kind: 'same' });
    const folders = { trimpath: false, ldflags: '' };
    await expect(module.build({ targets: ['linux/amd64'], flags: folders, verify: true })).rejects.toThrow(
      /^linux\/amd64: a second build in another folder gives other bytes: .*first difference is at byte \d+/,
    );
  });

  it('writes checksums that sha256sum accepts, and a bill of materials', async () => {
    const checksums = join(module.root, 'dist/checksums.txt');
    const { programs } = await module.build({
      targets: ['linux/amd64', 'windows/amd64'],
      sbom: true,
      checksums,
    });
    const said = execFileSync('sha256sum', ['--check', 'checksums.txt'], { cwd: join(module.root, 'dist') });
    expect(said.toString().trim().split('\n').sort()).toEqual([
      'app_linux_amd64.cdx.json: OK',
      'app_linux_amd64: OK',
      'app_windows_amd64.exe.cdx.json: OK',
      'app_windows_amd64.exe: OK',
    ]);
    const sbom = JSON.parse(readFileSync(programs[0]!.sbom!, 'utf8'));
    expect(sbom.metadata.component).toMatchObject({
      name: 'app',
      purl: 'pkg:golang/example.com/shop#cmd/app',
    });
  });

  it('stamps version, commit and time from git, and what it stamped can be run', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
        cwd: module.root,
        stdio: 'pipe',
      });
    git('init', '-b', 'main');
    git('add', '.');
    git('commit', '-m', 'one');
    git('tag', 'v1.4.0');
    const host = `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`;
    const request = {
      targets: [host],
      flags: { stamp: ['main.version={{version}} {{short-commit}}'] },
      output: { name: 'app' },
    };
    const [program] = (await module.build(request)).programs;
    const commit = git('rev-parse', 'HEAD').toString().slice(0, 12);
    const ran = execFileSync(program!.path, { stdio: 'pipe', encoding: 'utf8', input: '' });
    expect(ran).toBe('');
    const said = execFileSync('sh', ['-c', '"$0" 2>&1', program!.path], { encoding: 'utf8' });
    expect(said).toBe(`hello 1.4.0 ${commit} shop\n`);
    expect(git('status', '--porcelain').toString()).toBe('?? dist/\n');
  });

  it('with buildvcs, builds again when Go records another state: for a new file, too', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
        cwd: module.root,
        stdio: 'pipe',
      });
    module.write('.gitignore', 'dist/\n');
    git('init', '-b', 'main');
    git('add', '.');
    git('commit', '-m', 'one');
    const request = { targets: ['linux/amd64'], flags: { buildvcs: 'on' } } as const;
    const modified = async () => {
      const [program] = (await module.build(request)).programs;
      const { Settings = [] } = program!.buildInfo;
      return [program!.reused, Settings.find(({ Key }) => Key === 'vcs.modified')?.Value];
    };
    expect(await modified()).toEqual([false, 'false']);
    expect(await modified()).toEqual([true, 'false']);
    module.write('NOTES.md', 'x');
    expect(await modified()).toEqual([false, 'true']);
  });

  it('puts every complaint of the compiler at its line, once for all targets', async () => {
    module.write(
      'internal/store/name.go',
      'package store\n\nvar name = missing\n\nfunc f() int { return "x" }\n',
    );
    const failure = await module.build({ targets: ['linux/amd64', 'linux/arm64'] }).catch((error) => error);
    expect(failure).toBeInstanceOf(CompileFailure);
    expect(failure.message).toMatch(
      /^go build failed for linux\/amd64(, linux\/arm64)?: internal\/store\/name\.go:3:12: undefined: missing \(and 1 more\)\.$/,
    );
    expect(failure.diagnostics).toEqual([
      { message: 'undefined: missing', location: { file: 'internal/store/name.go', line: 3, column: 12 } },
      {
        message: expect.stringMatching(/^cannot use "x"/),
        location: { file: 'internal/store/name.go', line: 5, column: 23 },
      },
    ]);
    expect(existsSync(join(module.root, 'dist'))).toBe(false);
  });

  it('names an import that cannot be found at its line', async () => {
    module.write(
      'internal/store/name.go',
      'package store\n\nimport _ "example.com/nowhere/x"\n\nvar name = ""\n',
    );
    const failure = await module
      .build({ targets: ['linux/amd64'] }, { GOPROXY: 'off', GOFLAGS: '-mod=mod' })
      .catch((error) => error);
    expect(failure).toBeInstanceOf(CompileFailure);
    expect(failure.location).toEqual({ file: 'internal/store/name.go', line: 3, column: 8 });
  });

  it('keeps a program within its budget, and says by how much it is not', async () => {
    await expect(module.build({ targets: ['linux/amd64'], maxSize: 1000 })).rejects.toThrow(
      /^app for linux\/amd64 is \d\.\d MB: over the budget of 1\.0 kB \("max-size"\)\.$/,
    );
    await expect(module.build({ targets: ['linux/amd64'], maxSize: 50e6 })).resolves.toBeDefined();
  });

  it('cancelled in the middle, leaves no program, and builds the next time', async () => {
    const abort = new AbortController();
    const env = { GOCACHE: join(module.folder, 'cache') };
    const plan = await planGoBuild(
      module.request({ targets: ['linux/amd64'] }),
      module.context(env, abort.signal),
    );
    const run = runGoBuild(plan, {
      ...quiet,
      task: (title, work) => {
        if (title === 'linux/amd64') setTimeout(() => abort.abort(), 300);
        return work(quiet);
      },
    });
    await expect(run).rejects.toThrow();
    expect(existsSync(join(module.root, 'dist'))).toBe(false);
    const [program] = (await module.build({ targets: ['linux/amd64'] })).programs;
    expect(program).toMatchObject({ reused: false, because: 'it was not built here before' });
  });

  it('killed without warning, clears away what it left', async () => {
    const left = join(module.root, '.slipway/go/tmp-999999999');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'half'), '');
    writeFileSync(join(module.root, '.slipway/go/files.json'), '[["half');
    await module.build({ targets: ['linux/amd64'] });
    expect(existsSync(left)).toBe(false);
    const record = readdirSync(join(module.root, '.slipway/go')).find((name) => name.startsWith('program-'))!;
    writeFileSync(join(module.root, '.slipway/go', record), '{"scheme":1,"parts":{"x"');
    expect((await module.build({ targets: ['linux/amd64'] })).programs[0]!.reused).toBe(false);
  });

  it('does not remember a build whose sources changed meanwhile', async () => {
    await module.build({ targets: ['linux/amd64'] }, {}, { beforeBuild: async () => {} });
    module.write('internal/store/name.go', 'package store\n\nvar name = "one"\n');
    const plan = await module.plan({ targets: ['linux/amd64'] });
    let edited = false;
    await runGoBuild(plan, {
      ...quiet,
      task: async (title, work) => {
        // Between the reading of the sources and the compiler.
        if (title === 'linux/amd64' && !edited) {
          edited = true;
          module.write('internal/store/name.go', 'package store\n\nvar name = "two"\n');
        }
        return work(quiet);
      },
    });
    const next = await module.plan({ targets: ['linux/amd64'] });
    expect(next.programs[0]!.decision.kind).toBe('build');
  });

  it.each<[string, object, Record<string, string>, string]>([
    [
      'a folder that is not there',
      { directory: '/nonexistent' },
      {},
      'The working directory /nonexistent does not exist.',
    ],
    [
      'a file for a folder',
      { directory: '/etc/hostname' },
      {},
      'The working directory /etc/hostname is a file.',
    ],
    ['a folder without a module', { directory: '/usr' }, {}, 'There is no go.mod in /usr or above it'],
    [
      'an unknown package',
      { packages: ['./cmd/ap'] },
      {},
      'Package "./cmd/ap" is not found, or has no Go files for this target. Did you mean "./cmd/app"?',
    ],
    [
      'a library',
      { packages: ['./internal/store'] },
      {},
      'Package "./internal/store" is package store, not a program (package main). Programs here: ./cmd/app.',
    ],
    [
      'patterns without a program',
      { packages: ['./internal/...'] },
      {},
      'There is no program (package main) at ./internal/.... Programs here: ./cmd/app.',
    ],
    [
      'a file for a package',
      { packages: ['cmd/app/main.go'] },
      {},
      'Package "cmd/app/main.go" is a file; name the folder that it lies in.',
    ],
    ['a flag for a package', { packages: ['-x'] }, {}, 'Package "-x" starts with a dash'],
    ['a target with a slip', { targets: ['linux/amd46'] }, {}, 'Target linux/amd46 is none that go'],
    ['a target without architecture', { targets: ['linux'] }, {}, 'Target "linux" is not written as os/arch'],
    ['a target twice', { targets: ['linux/amd64', 'linux/amd64'] }, {}, 'Target linux/amd64 is given twice.'],
    ['a variant that is none', { targets: ['linux/amd64/v9'] }, {}, 'asks for variant "v9"'],
    ['race without cgo', { flags: { race: true, cgo: 'off' } }, {}, 'The race detector needs cgo'],
    ['an unknown placeholder', { flags: { ldflags: '{{verison}}' } }, {}, 'Did you mean "version"?'],
    [
      'a placeholder without git',
      { flags: { stamp: ['main.v={{commit}}'] } },
      {},
      'which nothing here tells: build in a git checkout',
    ],
    [
      'a stamp without a variable',
      { flags: { stamp: ['version=1'] } },
      {},
      'is not written as package.variable=value',
    ],
    [
      'a profile that is not there',
      { flags: { pgo: 'cpu.pgo' } },
      {},
      'Profile "cpu.pgo" (pgo) does not exist in',
    ],
    ['an unknown build mode', { flags: { buildmode: 'pei' } }, {}, 'Did you mean "pie"?'],
    ['an own flag', { flags: { extra: ['-o=x'] } }, {}, 'Flag -o has its own input: use "output".'],
    [
      'GOOS by the environment input',
      { environment: { GOOS: 'linux' } },
      {},
      'The variable GOOS has its own input: use "targets".',
    ],
    [
      'a variable with a blank',
      { environment: { 'A B': '' } },
      {},
      '"A B" is no name of an environment variable.',
    ],
    [
      'an unknown toolchain',
      { toolchain: 'locl' },
      {},
      'Toolchain "locl" is none; accepted are auto, local and a version such as go1.26.8. Did you mean "local"?',
    ],
    ['no jobs', { jobs: 0 }, {}, 'Jobs are 0; accepted is a whole number from 1.'],
    [
      'an output name that leaves its folder',
      { output: { name: '../{{name}}' } },
      {},
      'leaves the output folder',
    ],
    [
      'an output name without the target',
      { targets: ['linux/amd64', 'linux/arm64'], output: { name: '{{name}}' } },
      {},
      'would both be written to',
    ],
    [
      'an unknown name in the output name',
      { output: { name: '{{nmae}}' } },
      {},
      'output-name names {{nmae}}',
    ],
    [
      'an output that is a folder',
      { targets: ['linux/amd64'], output: { directory: '.', name: 'cmd' } },
      {},
      'which is a folder.',
    ],
    [
      'an output below a file',
      { targets: ['linux/amd64'], output: { directory: 'go.mod' } },
      {},
      'a part of its path is a file.',
    ],
    [
      'verify with the commit recorded',
      { verify: true, flags: { buildvcs: 'on' } },
      {},
      'set "buildvcs" to off, or "verify" to false.',
    ],
    [
      'a library for C',
      { flags: { buildmode: 'c-shared' } },
      {},
      'Build mode "c-shared" is none of exe, pie, default.',
    ],
    ['no go on the PATH', {}, { PATH: '/nonexistent' }, 'The go command is not on the PATH; install Go'],
    [
      'a toolchain that is not there',
      { toolchain: 'go1.1.1' },
      { GOPROXY: 'off' },
      'Go cannot fetch the toolchain',
    ],
  ])('refuses in one sentence: %s', async (_, request, env, message) => {
    const failure = await module.build(request, env).catch((error) => error);
    expect(failure, String(failure)).toBeInstanceOf(Failure);
    expect(failure.message).toContain(message);
    expect(failure.message).not.toContain('\n');
    expect(existsSync(join(module.root, 'dist'))).toBe(false);
  });

  it.each([
    [
      'a go.mod that asks for a newer Go',
      'module example.com/shop\n\ngo 1.99\n',
      'go.mod asks for Go 1.99 and this is Go',
    ],
    ['a go.mod with an unknown line', 'module example.com/shop\n\ngone 1.24\n', 'unknown directive: gone'],
    ['a go.mod without a module', 'go 1.24\n', 'has no module line'],
  ])('refuses %s', async (_, source, message) => {
    module.write('go.mod', source);
    const failure = await module
      .build({ targets: ['linux/amd64'] }, { GOTOOLCHAIN: 'local' })
      .catch((error) => error);
    expect(failure, String(failure)).toBeInstanceOf(Failure);
    expect(failure.message).toContain(message);
  });
});
