import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import { baseImages, crane, describeWith, registry, skopeo } from '../../lab/index.ts';
import { runAction } from '../../unit/image/host.ts';

const [bases, craneTool, lab, skopeoTool] = await Promise.all([baseImages(), crane(), registry(), skopeo()]);
const root = mkdtempSync(join(tmpdir(), 'slipway-image-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const files = {
  app: { text: '#!/bin/sh\necho hello\n', mode: 0o755 },
  'conf/a.yaml': 'a: 1\n',
  'conf/b.yaml': 'b: 2\n',
};

function project(name: string, dockerfile: string): string {
  const folder = mkdtempSync(join(root, `${name}-`));
  makeContext(folder, files);
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  return folder;
}

describeWith('an image in a registry', { bases, crane: craneTool, registry: lab }, (have) => {
  const check = (...args: string[]) =>
    run({ program: have.crane.program, args }).then(({ stdout }) => stdout.toString());
  const base = () => have.bases.references['gcr.io/distroless/static-debian12:nonroot'];
  const name = (path: string) => `${have.registry.host}/${path}`;

  it('is pushed for two platforms on a base whose layers are mounted, not moved', async () => {
    const folder = project('mount', `FROM ${base()}\nCOPY --chown=nonroot app /app\nENTRYPOINT ["/app"]\n`);
    const tag = name('e2e/mount:1.0');
    const first = await runAction(folder, {
      tags: `${tag}\n${name('e2e/mount:latest')}`,
      push: 'true',
      platforms: 'linux/amd64,linux/arm64',
    });
    await check('validate', '--remote', tag);
    expect(await check('digest', tag)).toBe(`${first.outputs.digest}\n`);
    expect(await check('digest', name('e2e/mount:latest'))).toBe(`${first.outputs.digest}\n`);
    expect(first.outputs.reference).toBe(`${tag}@${first.outputs.digest}`);
    const config = JSON.parse(await check('config', '--platform', 'linux/arm64', tag));
    expect(config).toMatchObject({
      architecture: 'arm64',
      config: { Entrypoint: ['/app'], User: expect.any(String) },
    });
    expect(first.summaries[0]!.markdown).toContain('mounted'.slice(0, 5));
    expect(first.lines.filter((line) => line.startsWith('mounted: ')).length).toBeGreaterThan(0);
    expect(
      first.lines
        .filter((line) => line.startsWith('copied: '))
        .every((line) => line.includes(' B)') || line.includes(' kB)')),
    ).toBe(true);
  });

  it('is the same from two folders, at other times and under another umask', async () => {
    const dockerfile = 'FROM scratch\nCOPY conf /etc/app/\nCOPY app /\nWORKDIR /srv\nUSER 1000\n';
    const one = project('one', dockerfile);
    const two = `${one}-elsewhere`;
    cpSync(one, two, { recursive: true });
    execFileSync('find', [two, '-exec', 'touch', '-d', '2001-02-03', '{}', '+']);
    const before = process.umask(0o077);
    const second = await runAction(two, { layout: 'out' }).finally(() => process.umask(before));
    const first = await runAction(one, { layout: 'out' });
    expect(second.outputs.digest).toBe(first.outputs.digest);
    expect(first.outputs.reused).toBe('false');
  });

  it('is not made again when nothing changed, and is when a file or its mode did', async () => {
    const folder = project('again', 'FROM scratch\nCOPY . /\n');
    const inputs = { layout: 'out', tags: name('e2e/again:1'), push: 'true' };
    const first = await runAction(folder, inputs);
    const again = await runAction(folder, inputs);
    expect(again.outputs).toMatchObject({ reused: 'true', digest: first.outputs.digest });
    const renamed = await runAction(folder, { ...inputs, tags: name('e2e/again-elsewhere:2') });
    expect(renamed.outputs.reused).toBe('true');
    expect(await check('digest', name('e2e/again-elsewhere:2'))).toBe(`${first.outputs.digest}\n`);
    execFileSync('chmod', ['700', join(folder, 'app')]);
    const changed = await runAction(folder, inputs);
    expect(changed.outputs.reused).toBe('false');
    expect(changed.outputs.digest).not.toBe(first.outputs.digest);
    expect(await check('digest', inputs.tags)).toBe(`${changed.outputs.digest}\n`);
  });

  it('that was damaged in the layout is made again', async () => {
    const folder = project('damaged', 'FROM scratch\nCOPY . /\n');
    const first = await runAction(folder, { layout: 'out' });
    const { layers } = JSON.parse(
      readFileSync(join(folder, 'out/blobs', first.outputs.digest!.replace(':', '/')), 'utf8'),
    );
    rmSync(join(folder, 'out/blobs', layers[0].digest.replace(':', '/')));
    const again = await runAction(folder, { layout: 'out' });
    expect(again.outputs).toMatchObject({ reused: 'false', digest: first.outputs.digest });
  });

  it('has zstd layers, labels and annotations where they were asked for', async () => {
    const folder = project('zstd', `FROM ${base()}\nCOPY app /app\n`);
    const tag = name('e2e/zstd:1');
    const done = await runAction(folder, {
      tags: tag,
      push: 'true',
      platforms: 'linux/amd64,linux/arm64',
      compression: 'zstd',
      labels: 'org.opencontainers.image.source=https://example.com/x\nother=two words=1',
      annotations: 'one=1\nmanifest[linux/arm64]:arm=yes\nindex:top=t\nmanifest-descriptor:d=2',
    });
    const index = JSON.parse(await check('manifest', tag));
    expect(index).toMatchObject({
      annotations: { top: 't' },
      manifests: [{ annotations: { d: '2' } }, { annotations: { d: '2' } }],
    });
    const arm = JSON.parse(await check('manifest', '--platform', 'linux/arm64', tag));
    expect(arm.annotations).toEqual({ one: '1', arm: 'yes' });
    expect(arm.layers.at(-1).mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd');
    const config = JSON.parse(await check('config', '--platform', 'linux/arm64', tag));
    // crane validate takes every layer for gzip, so zstd's own program has to tell.
    const blob = `${name('e2e/zstd')}@${arm.layers.at(-1).digest}`;
    const sum = execFileSync('sh', [
      '-c',
      '"$1" blob "$2" | zstd -dc | sha256sum',
      'sh',
      have.crane.program,
      blob,
    ]);
    expect(`sha256:${sum.toString().split(' ')[0]}`).toBe(config.rootfs.diff_ids.at(-1));
    expect(config.config.Labels).toMatchObject({ other: 'two words=1' });
    expect(JSON.parse(done.outputs.metadata!)).toMatchObject({
      'containerimage.digest': done.outputs.digest,
      'image.name': tag,
    });
  });

  it('has the media types of Docker where they were asked for', async () => {
    const folder = project('docker', `FROM ${base()}\nCOPY app /app\n`);
    const tag = name('e2e/docker:1');
    await runAction(folder, { tags: tag, push: 'true', 'media-types': 'docker' });
    await check('validate', '--remote', tag);
    const manifest = JSON.parse(await check('manifest', tag));
    expect(manifest.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    expect(new Set(manifest.layers.map((layer: { mediaType: string }) => layer.mediaType))).toEqual(
      new Set(['application/vnd.docker.image.rootfs.diff.tar.gzip']),
    );
  });

  it('leaves no tag when the run is cancelled on the way', async () => {
    const folder = project('cancel', 'FROM scratch\nCOPY . /\n');
    execFileSync('dd', ['if=/dev/urandom', `of=${join(folder, 'big')}`, 'bs=1M', 'count=60', 'status=none']);
    const tag = name('e2e/cancelled:1');
    const controller = new AbortController();
    const work = runAction(folder, { tags: tag, push: 'true' }, controller.signal);
    setTimeout(() => controller.abort(), 250);
    await expect(work).rejects.toThrow();
    await expect(check('digest', tag)).rejects.toThrow();
    const after = await runAction(folder, { tags: tag, push: 'true' });
    expect(await check('digest', tag)).toBe(`${after.outputs.digest}\n`);
  });

  it('is exported as files that other tools read', async () => {
    const folder = project('outputs', `FROM ${base()}\nCOPY --chown=5:6 app conf /x/\n`);
    const done = await runAction(folder, {
      tags: name('e2e/outputs:1'),
      outputs:
        'type=oci,dest=o/image.tar\ntype=docker,dest=o/docker.tar\ntype=tar,dest=o/files.tar\ntype=local,dest=o/files\ntype=oci,tar=false,dest=o/layout',
    });
    await check('validate', '--tarball', join(folder, 'o/docker.tar'));
    const listed = execFileSync('tar', ['-tvf', join(folder, 'o/files.tar'), '--numeric-owner']).toString();
    expect(listed).toMatch(/-rwxr-xr-x 5\/6 .* x\/app/);
    expect(listed).toMatch(/etc\/passwd/);
    expect(readFileSync(join(folder, 'o/files/x/a.yaml'), 'utf8')).toBe('a: 1\n');
    execFileSync('mkdir', [join(folder, 'o/unpacked')]);
    execFileSync('tar', ['-xf', join(folder, 'o/image.tar'), '-C', join(folder, 'o/unpacked')]);
    const tag = name('e2e/outputs-again:1');
    await check('push', join(folder, 'o/unpacked'), tag);
    expect(await check('digest', tag)).toBe(`${done.outputs.digest}\n`);
  });
});

describeWith('an image in a layout', { skopeo: skopeoTool }, (have) => {
  it('is read by containers/image', async () => {
    const folder = project('skopeo', 'FROM scratch\nCOPY . /\nLABEL a=b\n');
    const done = await runAction(folder, { layout: 'out', tags: 'app:1' });
    const { stdout } = await run({
      program: have.skopeo.program,
      args: ['inspect', `oci:${join(folder, 'out')}:app:1`],
    });
    expect(JSON.parse(stdout.toString())).toMatchObject({
      Digest: done.outputs.digest,
      Labels: { a: 'b' },
      Os: 'linux',
    });
  });
});
