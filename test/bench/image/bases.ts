import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';

/** References of the base images, as the Dockerfiles of the bench name them. */
export interface Bases {
  readonly golang: string;
  readonly final: string;
  /** A shell and cp, for those who need a container to move files. */
  readonly utility: string;
}

export interface BaseSource {
  readonly crane: string;
  /** The lab's registry, where the images are that stand in for Docker Hub's and Distroless's. */
  readonly lab: string;
  /** The bench's registry itself: how its bases get there is nobody's time. */
  readonly registry: string;
  /** The same as clients reach it. */
  readonly proxy: string;
  /** `host:port` of the module proxy. */
  readonly modules: string;
}

const repositories = {
  golang: 'library/golang:1.26',
  final: 'distroless/static-debian12:nonroot',
  utility: 'library/alpine:3',
} as const;

/**
 * Puts the base images into the bench's registry. The golang image is told of the module proxy in Go's own file of defaults, as a
 * company's image would be: no Dockerfile and no variable has to name it. Each revision has other layers and another digest.
 */
export async function publishBases(source: BaseSource, revision: number): Promise<Bases> {
  const { stdout } = await run({ program: 'go', args: ['env', 'GOVERSION'] });
  const goVersion = stdout.toString().trim().replace(/^go/, '');
  const settings = `GOPROXY=http://${source.modules}\nGOSUMDB=off\nGOTOOLCHAIN=local\n`;
  const release = `VERSION_ID="${revision}"\n`;
  // As the official image tells its version.
  const version = ['--env', `GOLANG_VERSION=${goVersion}`];
  await publish(
    source,
    repositories.golang,
    { 'usr/local/go/go.env': settings, 'etc/os-release': release },
    version,
  );
  await publish(source, repositories.final, { 'etc/os-release': release }, [
    '--label',
    `revision=${revision}`,
  ]);
  await publish(source, repositories.utility, {}, ['--label', `revision=${revision}`]);
  return {
    golang: `${source.proxy}/${repositories.golang}`,
    final: `${source.proxy}/${repositories.final}`,
    utility: `${source.proxy}/${repositories.utility}`,
  };
}

async function publish(
  { crane, lab, registry }: BaseSource,
  repository: string,
  files: Readonly<Record<string, string>>,
  configuration: readonly string[],
): Promise<void> {
  const call = (...args: readonly string[]) => run({ program: crane, args, timeout: 300_000 });
  const target = `${registry}/${repository}`;
  await call('copy', '--platform', 'linux/amd64', `${lab}/${repository}`, target);
  if (Object.keys(files).length > 0) await append(call, target, files);
  await call('mutate', target, '--tag', target, ...configuration);
}

async function append(
  crane: (...args: readonly string[]) => Promise<unknown>,
  target: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'slipway-bench-base-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(work, 'tree', path, '..'), { recursive: true });
      await writeFile(join(work, 'tree', path), text);
    }
    const layer = join(work, 'layer.tar');
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--sort=name'];
    await run({
      program: 'tar',
      args: ['--create', '--file', layer, '--directory', join(work, 'tree'), ...owner, ...Object.keys(files)],
    });
    await crane('append', '--base', target, '--new_layer', layer, '--new_tag', target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
