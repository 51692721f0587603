import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { definition as goBuild } from '../../../actions/go-build/definition.ts';
import { definition as rollout } from '../../../actions/k8s-rollout/definition.ts';
import { type Config, readConfig, type Sections } from '../../../actions/up/config.ts';
import { configSchema } from '../../../actions/up/schema.ts';
import { defineAction, Failure, input } from '../../../shared/host/index.ts';

const sections: Sections = {
  build: goBuild,
  rollout,
  image: defineAction({
    name: 'docker-multistage',
    title: '',
    description: '',
    icon: '',
    color: 'blue',
    inputs: {
      file: input.text({ description: 'The Dockerfile.' }),
      'build-args': input.lines({ description: 'Arguments.' }),
      platforms: input.list({ description: 'Platforms.' }),
      load: input.flag({ description: 'Load.' }),
    },
    outputs: {},
  }),
};

async function read(text: string | undefined, name = ''): Promise<Config> {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  if (text !== undefined) writeFileSync(join(folder, 'slipway.yml'), text);
  return readConfig(folder, folder, name, sections);
}

describe('slipway.yml', () => {
  it('is optional, and empty is as good as absent', async () => {
    expect(await read(undefined)).toEqual({
      file: undefined,
      name: undefined,
      build: {},
      image: {},
      rollout: undefined,
    });
    expect(await read('')).toEqual({
      file: 'slipway.yml',
      name: undefined,
      build: {},
      image: {},
      rollout: undefined,
    });
    expect(await read('build:\nimage:\n')).toMatchObject({ build: {}, image: {}, rollout: undefined });
  });

  it('takes values, lists and mappings', async () => {
    const text = `
name: shop
build:
  targets: [linux/amd64, linux/arm64]
  trimpath: false
  jobs: 2
  stamp: |
    main.version={{version}}
    main.commit={{commit}}
image:
  platforms: linux/amd64,linux/arm64
  build-args:
    VERSION: 1.10
    EMPTY:
`;
    expect(await read(text)).toEqual({
      file: 'slipway.yml',
      name: 'shop',
      build: {
        targets: 'linux/amd64\nlinux/arm64',
        trimpath: 'false',
        jobs: '2',
        stamp: 'main.version={{version}}\nmain.commit={{commit}}\n',
      },
      image: { platforms: 'linux/amd64,linux/arm64', 'build-args': 'VERSION=1.10\nEMPTY=' },
      rollout: undefined,
    });
  });

  it('says how the image is rolled out, or that it is not', async () => {
    const text = 'rollout:\n  namespace: shop\n  checks: [http://shop/readyz]\n';
    expect((await read(text)).rollout).toEqual({ namespace: 'shop', checks: 'http://shop/readyz' });
    expect((await read('rollout:\n')).rollout).toEqual({});
    expect((await read('rollout: false')).rollout).toBeUndefined();
  });

  it('says that there is no image', async () => {
    expect((await read('image: false')).image).toBeUndefined();
  });

  it.each<[string, string, string, number]>([
    ['an unknown section', 'bild:\n  jobs: 2\n', '"bild" is no key of slipway.yml. Did you mean "build"?', 1],
    [
      'an unknown key',
      'build:\n  target: linux/amd64\n',
      '"build.target" is no key of slipway.yml. Did you mean "targets"?',
      2,
    ],
    [
      'a key that belongs to the run',
      'name: x\nimage:\n  load: true\n',
      '"image.load" is no key of slipway.yml. Accepted are file, build-args, platforms.',
      3,
    ],
    ['a token', 'rollout:\n  token: x\n', '"rollout.token" is no key of slipway.yml.', 2],
    [
      'a wrong flag',
      'build:\n  jobs: 2\n  trimpath: maybe\n',
      'Input "build.trimpath" is "maybe"; accepted are true and false.',
      3,
    ],
    [
      'a wrong choice',
      'build:\n  cgo: of\n',
      'Input "build.cgo" is "of"; accepted are auto, on, off. Did you mean "on"?',
      2,
    ],
    [
      'a list for one value',
      'build:\n  ldflags: [-s, -w]\n',
      '"ldflags" in slipway.yml is a list; accepted is a single value.',
      2,
    ],
    [
      'a list of lists',
      'build:\n  tags: [[a]]\n',
      '"tags" in slipway.yml is a list; accepted is a single value.',
      2,
    ],
    [
      'a text for a section',
      'build: fast\n',
      '"build" in slipway.yml is "fast"; accepted are the inputs of go-build, one a line.',
      1,
    ],
    [
      'a list for the file',
      '- build\n',
      'slipway.yml holds a list; accepted is a mapping with the keys name, build, image and rollout.',
      1,
    ],
    ['broken YAML', 'build:\n  tags: [a\n', 'slipway.yml is not valid YAML: ', 3],
    ['a key twice', 'name: a\nname: b\n', 'slipway.yml is not valid YAML: Map keys must be unique.', 2],
  ])('refuses %s at its line', async (_, text, message, line) => {
    const error = await read(text).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).message).toContain(message);
    expect((error as Failure).location).toMatchObject({ file: 'slipway.yml', line });
  });

  it('has to be there when it is asked for by name', async () => {
    await expect(read(undefined, 'other.yml')).rejects.toThrow('There is no configuration file other.yml');
  });
});

describe('the schema of slipway.yml', () => {
  it('knows every key that the reader takes, and no other', () => {
    const { properties } = configSchema(sections) as { properties: { build: { properties: object } } };
    const keys = Object.keys(properties.build.properties);
    expect(keys).toContain('targets');
    expect(keys).not.toContain('plan');
    expect(keys).not.toContain('working-directory');
    expect(properties.build.properties).toMatchObject({
      cgo: { enum: ['auto', 'on', 'off'], default: 'auto' },
      trimpath: { type: 'boolean', default: true },
      targets: { oneOf: [{}, { type: 'array' }, { type: 'object' }] },
    });
  });
});
