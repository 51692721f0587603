import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { programFile, programLayout, writeProgramLayout } from '../kubernetes/images.ts';
import { find, full, labBin, labRoot } from '../place.ts';
import { type Step, step } from './step.ts';

const version = 'v1.34.4';
const kwokVersion = 'v0.7.0';
const sources = join(import.meta.dirname, '..', 'kubernetes');

/** Kubernetes itself, and the program that the tests' pods run; nodes that are played, which the bench wants. */
export async function installKubernetes(): Promise<readonly Step[]> {
  return [await installKubelab(), await installProgram(), ...(full ? [await installKwok()] : [])];
}

/**
 * Ten minutes on a bare machine with two cores (785 CPU seconds), and half a minute where Go has compiled it before: `npm run lab`
 * ahead of the tests, or a cache of Go's folders, takes them out of the run.
 */
async function installKubelab(): Promise<Step> {
  const stamp = join(labBin, '.kubelab.version');
  const wanted = `${version} ${await digestOfSources('kubelab')}`;
  return step(`Kubernetes ${version}`, await isCurrent(stamp, wanted, join(labBin, 'kubelab')), async () => {
    const module = await kubelabModule();
    const flags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((place) => [
      `-X ${place}.gitVersion=${version}`,
      `-X ${place}.gitMajor=1 -X ${place}.gitMinor=${version.split('.')[1]}`,
      `-X ${place}.gitTreeState=clean`,
    ]);
    const linker = `-s -w ${flags.join(' ')}`;
    await go(
      ['build', '-mod=mod', '-trimpath', '-ldflags', linker, '-o', join(labBin, 'kubelab'), '.'],
      module,
    );
    await rm(join(labBin, 'kubectl'), { force: true });
    await symlink('kubelab', join(labBin, 'kubectl'));
    await writeFile(stamp, wanted);
  });
}

/**
 * A module that requires Kubernetes as its own go.mod has it, so that the versions are those of the release. The staging modules,
 * which that file takes from folders of the repository, are taken as published.
 */
async function kubelabModule(): Promise<string> {
  requireGo();
  const directory = join(labRoot, 'modules', 'kubelab');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const told = await go(['mod', 'download', '-json', `k8s.io/kubernetes@${version}`], labRoot);
  const { Dir: kubernetes } = JSON.parse(told) as { Dir: string };
  const theirs = await readFile(join(kubernetes, 'go.mod'), 'utf8');
  const ours = theirs
    .replace(/^module .*$/m, 'module lab.invalid/kubelab')
    .replace(/=> \.\/staging\/src\/(\S+)$/gm, `=> $1 ${version.replace('v1', 'v0')}`);
  await writeFile(join(directory, 'go.mod'), `${ours}\nrequire k8s.io/kubernetes ${version}\n`);
  await copyFile(join(kubernetes, 'go.sum'), join(directory, 'go.sum'));
  await chmod(join(directory, 'go.sum'), 0o644);
  await copyFile(join(sources, 'kubelab', 'main.go'), join(directory, 'main.go'));
  return directory;
}

/** Two minutes after Kubernetes. It is built with the same modules, so that Go compiles few of them again. */
async function installKwok(): Promise<Step> {
  const stamp = join(labBin, '.kwok.version');
  const wanted = `${kwokVersion} with ${version}`;
  return step(`kwok ${kwokVersion}`, await isCurrent(stamp, wanted, join(labBin, 'kwok')), async () => {
    const module = await kwokModule();
    const linker = `-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=${kwokVersion}`;
    await go(['build', '-mod=mod', '-trimpath', '-ldflags', linker, '-o', join(labBin, 'kwok'), '.'], module);
    await writeFile(stamp, wanted);
  });
}

/** kwok was written for Kubernetes 1.33: a constant that 1.34 has no more is put back in a copy of it. */
async function kwokModule(): Promise<string> {
  const kubelab = await kubelabModule();
  const directory = join(labRoot, 'modules', 'kwok');
  const copy = join(directory, 'kwok');
  await rm(directory, { recursive: true, force: true });
  const told = await go(['mod', 'download', '-json', `sigs.k8s.io/kwok@${kwokVersion}`], labRoot);
  const { Dir: theirs } = JSON.parse(told) as { Dir: string };
  await cp(theirs, copy, { recursive: true });
  await run({ program: 'chmod', args: ['-R', 'u+w', copy] });
  const informer = join(copy, 'pkg', 'utils', 'informer', 'informer.go');
  const source = await readFile(informer, 'utf8');
  const name = '"kubernetes.io/initial-events-list-blueprint"';
  await writeFile(informer, source.replaceAll('metav1.InitialEventsListBlueprintAnnotationKey', name));
  const own = (await readFile(join(kubelab, 'go.mod'), 'utf8')).replace(
    /^module .*$/m,
    'module lab.invalid/kwok',
  );
  const lines = [`require sigs.k8s.io/kwok ${kwokVersion}`, 'replace sigs.k8s.io/kwok => ./kwok'];
  await writeFile(join(directory, 'go.mod'), `${own}${lines.join('\n')}\n`);
  await copyFile(join(kubelab, 'go.sum'), join(directory, 'go.sum'));
  await copyFile(join(copy, 'cmd', 'kwok', 'main.go'), join(directory, 'main.go'));
  return directory;
}

async function installProgram(): Promise<Step> {
  const stamp = join(labBin, '.kubernetes-program.version');
  const wanted = await digestOfSources('program', 'images.ts');
  const present = (await isCurrent(stamp, wanted, programFile)) && existsSync(programLayout);
  return step("the pods' program", present, async () => {
    requireGo();
    const build = ['build', '-trimpath', '-ldflags', '-s -w', '-o', programFile, '.'];
    await go(build, join(sources, 'program'), { CGO_ENABLED: '0' });
    await rm(programLayout, { recursive: true, force: true });
    await writeProgramLayout();
    await writeFile(stamp, wanted);
  });
}

async function isCurrent(stamp: string, wanted: string, file: string): Promise<boolean> {
  return existsSync(file) && (await readFile(stamp, 'utf8').catch(() => '')) === wanted;
}

async function digestOfSources(folder: string, ...others: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(join(sources, folder))).sort().map((name) => join(folder, name));
  for (const name of [...names, ...others]) hash.update(await readFile(join(sources, name)));
  return hash.digest('hex').slice(0, 16);
}

function requireGo(): void {
  if (find('go') === undefined) throw new Error('there is no Go toolchain on the PATH');
}

/** Flags of the user's own, such as -mod=vendor, would break these builds. */
async function go(args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<string> {
  const finished = await run({
    program: 'go',
    args,
    cwd,
    env: { ...process.env, GOFLAGS: '-buildvcs=false', GOWORK: 'off', ...env },
    timeout: 2_400_000,
  });
  return finished.stdout.toString();
}
