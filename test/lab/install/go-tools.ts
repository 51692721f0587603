import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { find, full, labBin, labRoot } from '../place.ts';
import { type Step, step } from './step.ts';

interface GoTool {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  /** The module's go.mod replaces or excludes others, which `go install` refuses: build it from a module that requires it. */
  readonly module?: string;
}

const tools: readonly GoTool[] = [
  { name: 'registry', package: 'github.com/distribution/distribution/v3/cmd/registry', version: 'v3.1.2' },
  { name: 'crane', package: 'github.com/google/go-containerregistry/cmd/crane', version: 'v0.22.1' },
  { name: 'act', package: 'github.com/nektos/act', version: 'v0.2.89' },
];

const buildkit = { version: 'v0.34.2', module: 'github.com/moby/buildkit' } as const;

/** Minutes to compile, and only the tests of builders' own features and the bench need them. */
const slowTools: readonly GoTool[] = [
  { name: 'buildctl', package: 'github.com/moby/buildkit/cmd/buildctl', ...buildkit },
  { name: 'buildkitd', package: 'github.com/moby/buildkit/cmd/buildkitd', ...buildkit },
  {
    name: 'buildx',
    package: 'github.com/docker/buildx/cmd/buildx',
    version: 'v0.38.2',
    module: 'github.com/docker/buildx',
  },
  // One of those that npm run bench:image measures.
  { name: 'ko', package: 'github.com/google/ko', version: 'v0.19.1' },
];

/** One after the other: each uses all cores, and they share packages through Go's cache. */
export async function installGoTools(): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const tool of full ? [...tools, ...slowTools] : tools) steps.push(await installGoTool(tool));
  return steps;
}

async function installGoTool(tool: GoTool): Promise<Step> {
  const stamp = join(labBin, `.${tool.name}.version`);
  const present =
    existsSync(join(labBin, tool.name)) && (await readFile(stamp, 'utf8').catch(() => '')) === tool.version;
  return step(`${tool.name} ${tool.version}`, present, async () => {
    if (find('go') === undefined) throw new Error('there is no Go toolchain on the PATH');
    if (tool.module === undefined) await install(tool);
    else await buildFromOwnModule(tool, tool.module);
    await writeFile(stamp, tool.version);
  });
}

const flags = ['-trimpath', '-ldflags', '-s -w'] as const;

async function install(tool: GoTool): Promise<void> {
  await go(['install', ...flags, `${tool.package}@${tool.version}`], labRoot);
}

async function buildFromOwnModule(tool: GoTool, module: string): Promise<void> {
  const directory = join(labRoot, 'modules', tool.name);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'go.mod'), `module lab.invalid/${tool.name}\n\ngo 1.25\n`);
  await go(['get', `${module}@${tool.version}`, `${tool.package}@${tool.version}`], directory);
  await go(['build', ...flags, '-o', join(labBin, tool.name), tool.package], directory);
}

/** Flags of the user's own, such as -mod=vendor, would break these builds. */
async function go(args: readonly string[], cwd: string): Promise<void> {
  await run({
    program: 'go',
    args,
    cwd,
    env: { ...process.env, GOFLAGS: '-buildvcs=false', GOWORK: 'off', GOBIN: labBin, CGO_ENABLED: '0' },
    timeout: 1_800_000,
  });
}
