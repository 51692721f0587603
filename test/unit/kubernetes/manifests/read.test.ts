import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readManifests } from '../../../../shared/kubernetes/index.ts';
import { failureIn } from './failure.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'slipway-manifests-'));
});
afterEach(() => rmSync(workspace, { recursive: true }));

const put = (name: string, text: string) => {
  mkdirSync(dirname(join(workspace, name)), { recursive: true });
  writeFileSync(join(workspace, name), text);
};
const configMap = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata: {a: b}\n`;
const read = (sources: readonly string[], stdin = '', env = {}) =>
  readManifests(sources, {
    workspace,
    stdin: async () => stdin,
    env,
    signal: new AbortController().signal,
  });
const names = async (...sources: string[]) => (await read(sources)).map(({ object }) => object.metadata.name);

describe('sources', () => {
  beforeEach(() => {
    put('deploy/b.yaml', configMap('b'));
    put('deploy/a.yml', configMap('a'));
    put('deploy/sub/c.json', '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}');
    put('deploy/README.md', '# Not a manifest');
    put('deploy/.hidden/d.yaml', configMap('d'));
    put('other.txt', configMap('other'));
  });

  it.each([
    [['deploy'], ['a', 'b', 'c']],
    [
      ['deploy/sub', 'deploy/a.yml'],
      ['c', 'a'],
    ],
    [['deploy/*.y*ml'], ['a', 'b']],
    [['deploy/**/*'], ['a', 'b', 'c']],
    [['deploy/{b,a}.*'], ['a', 'b']],
    [
      ['other.txt', 'deploy/a.yml'],
      ['other', 'a'],
    ],
    [
      ['deploy/b.yaml', './deploy', 'deploy/b.yaml'],
      ['b', 'a', 'c'],
    ],
  ])('%j', async (sources, expected) => expect(await names(...sources)).toEqual(expected));

  it('standard input, between files', async () => {
    const manifests = await read(['-', 'deploy/a.yml'], configMap('piped'));
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['piped', 'a']);
    expect(manifests[0]!.locate(['metadata', 'name'])).toMatchObject({ file: 'standard input', line: 4 });
  });

  it('places are in files as the workspace names them', async () => {
    const [manifest] = await read([join(workspace, 'deploy/b.yaml')]);
    expect(manifest!.locate(['data', 'a'])).toEqual({ file: 'deploy/b.yaml', line: 5, column: 8 });
  });

  it('a folder that links to itself ends', async () => {
    symlinkSync(join(workspace, 'deploy'), join(workspace, 'deploy/sub/loop'));
    expect(await names('deploy')).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['deplyo', 'The manifests "deplyo" do not exist in WORKSPACE. Did you mean "deploy"?'],
    [
      'deploy/c.yaml',
      'The manifests "deploy/c.yaml" do not exist in WORKSPACE. Did you mean "deploy/b.yaml"?',
    ],
    ['deploy/*.yxml', 'The pattern "deploy/*.yxml" matches nothing in WORKSPACE.'],
    ['*.txt', 'The pattern "*.txt" matches no .yaml, .yml or .json file and no kustomization in WORKSPACE.'],
    ['empty', 'The folder "empty" holds no .yaml, .yml or .json file.'],
    ['nothing.yaml', 'There is no Kubernetes object in "nothing.yaml".'],
    [
      'https://example.com/a.yaml',
      '"https://example.com/a.yaml" is an address; fetch it into a file first, so that what is rolled out is in your repository.',
    ],
  ])('%s', async (source, message) => {
    mkdirSync(join(workspace, 'empty'));
    put('nothing.yaml', '# to come\n---\n');
    expect((await failureIn(read([source]))).message).toBe(message.replace('WORKSPACE', workspace));
  });

  it('none', async () =>
    expect((await failureIn(read([]))).message).toBe(
      'No manifests are named; name files, folders, globs or "-".',
    ));

  it('a Helm chart has to be rendered first', async () => {
    put('deploy/chart/Chart.yaml', 'name: chart');
    expect(await failureIn(read(['deploy']))).toEqual({
      message:
        '"deploy/chart" is a Helm chart: give what "helm template" makes of it, such as with manifests "-".',
      location: { file: 'deploy/chart/Chart.yaml', line: 1 },
    });
  });

  it('a link to nothing, which would be an object less', async () => {
    symlinkSync('gone.yaml', join(workspace, 'deploy/link.yaml'));
    expect((await failureIn(read(['deploy']))).message).toBe(
      '"deploy/link.yaml" is a link to a file that does not exist.',
    );
  });

  it('the same object in two files', async () => {
    put('deploy/e.yaml', configMap('a').replace('a: b', 'a: c'));
    expect(await failureIn(read(['deploy']))).toMatchObject({
      message:
        'ConfigMap a is declared twice and not alike: deploy/a.yml:4 and deploy/e.yaml:4; keep one of them.',
      location: { file: 'deploy/e.yaml', line: 4 },
    });
  });
});

// Real rendering is in test/conformance/kubernetes: here a program stands in for kubectl that prints a file, or fails.
describe('a kustomization', () => {
  const renderer = (name: string, script: string) => {
    put(`bin/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(join(workspace, 'bin', name), 0o755);
    return { PATH: `${join(workspace, 'bin')}:/usr/bin:/bin` };
  };

  beforeEach(() => {
    put('base/kustomization.yml', 'resources: [web.yaml]\nconfigMapGenerator:\n  - name: settings\n');
    put('base/web.yaml', `${configMap('web')}---\n${configMap('web-admin')}`);
    put(
      'overlays/prod/kustomization.yaml',
      'namePrefix: prod-\nresources:\n  - ../../base\npatches:\n  - path: patch.yaml\n',
    );
    put(
      'overlays/prod/patch.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: patched\n',
    );
    put(
      'rendered.yaml',
      ['prod-web', 'prod-web-admin', 'prod-settings-4h2mbtbbt6']
        .map((name) => configMap(name))
        .join('---\n')
        .replace('b}', 'patched, n: 1}'),
    );
  });

  it('is rendered by kubectl, and its objects are found in its files', async () => {
    const env = renderer('kubectl', `[ "$1" = kustomize ] && [ "$#" = 2 ] && cat rendered.yaml`);
    const manifests = await read(['overlays'], '', env);
    const places = manifests.map(({ object, locate }) => [
      object.metadata.name,
      ...[
        ['metadata', 'name'],
        ['data', 'a'],
        ['data', 'n'],
      ].map((path) => {
        const { file, line } = locate(path)!;
        return `${file}:${line}`;
      }),
    ]);
    expect(places).toEqual([
      ['prod-web', 'base/web.yaml:4', 'overlays/prod/patch.yaml:5', 'base/web.yaml:5'],
      ['prod-web-admin', 'base/web.yaml:10', 'base/web.yaml:11', 'base/web.yaml:11'],
      ['prod-settings-4h2mbtbbt6', ...Array(3).fill('base/kustomization.yml:3')],
    ]);
  });

  it('is rendered by kustomize where there is no kubectl, and when its file is named', async () => {
    const env = renderer('kustomize', `[ "$1" = build ] && cat rendered.yaml`);
    expect(await read(['overlays/prod/kustomization.yaml'], '', env)).toHaveLength(3);
  });

  it('that does not render says why, at the line that names what is wrong', async () => {
    const env = renderer('kubectl', `echo "error: no such file:\n  '$2/patch.yaml'" >&2; exit 1`);
    expect(await failureIn(read(['overlays/prod'], '', env))).toEqual({
      message: `The kustomization does not render: no such file: '${workspace}/overlays/prod/patch.yaml'`,
      location: { file: 'overlays/prod/kustomization.yaml', line: 5, column: 5 },
    });
  });

  it('needs a program on the PATH', async () => {
    expect(await failureIn(read(['base'], '', { PATH: workspace }))).toEqual({
      message:
        'A kustomization is rendered by kubectl or kustomize, and neither is on the PATH; install one, or give what it rendered.',
      location: { file: 'base/kustomization.yml' },
    });
  });

  it('beside its own base leaves open which one is meant', async () => {
    put('overlays/dev/kustomization.yaml', 'resources: [../../base]');
    rmSync(join(workspace, 'rendered.yaml'));
    expect((await failureIn(read(['.'], '', {}))).message).toBe(
      'The kustomization overlays/dev is made of base, so both cannot be rolled out; name the one that is meant: overlays/dev or overlays/prod.',
    );
  });
});
