import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { type ImageSpec, inOrder, readImages } from '../../../actions/docker-multistage/images.ts';
import { readInputs } from '../../../shared/host/index.ts';
import { memoryHost, runAction } from '../image/host.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-images-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const read = (given: Readonly<Record<string, string>>) =>
  readImages(
    memoryHost(root),
    readInputs(definition, (name) => given[name]),
  );

describe('the input "images"', () => {
  it('is not needed for one image', async () => {
    expect(await read({ tags: 'x.test/app:1' })).toBeUndefined();
  });

  it('names folders, or a Dockerfile and a stage of a context', async () => {
    const specs = await read({
      images: 'api=services/api\nweb=context=.,file=web/Dockerfile,target=final',
      tags: 'x.test/{name}:1\nx.test/{name}:latest',
    });
    expect(specs!.map(({ name, own }) => [name, own])).toEqual([
      ['api', { context: 'services/api', tags: 'x.test/api:1\nx.test/api:latest' }],
      [
        'web',
        { context: '.', file: 'web/Dockerfile', target: 'final', tags: 'x.test/web:1\nx.test/web:latest' },
      ],
    ]);
  });

  it.each([
    [{ images: 'api' }, 'has the line "api"; accepted is name=folder'],
    [{ images: 'api=context=.,dockerfile=x' }, 'has "dockerfile=x" in'],
    [{ images: 'a=x\na=y' }, 'The image "a" is named twice'],
    [{ images: 'a=x\nb=y', tags: 'x.test/app:1' }, 'put {name} into it'],
    [{ images: 'a=x', file: 'Dockerfile' }, 'Input "file" is given, which "images" says for each image'],
    [{ images: 'a=x', 'bake-files': 'docker-bake.hcl' }, 'two ways to name the images'],
    [
      { 'bake-files': 'docker-bake.hcl', tags: 'x.test/app:1' },
      'Input "tags" is given, which the bake file says',
    ],
    [{ 'bake-files': 'https://x.test/bake.hcl' }, 'accepted are files of the checkout'],
  ])('is wrong as %j', async (given, message) => {
    await expect(read(given)).rejects.toThrow(message);
  });
});

describe('the order of images', () => {
  const spec = (name: string, ...needs: string[]): ImageSpec => ({
    name,
    own: {},
    added: {},
    buildArgs: {},
    labels: {},
    contexts: Object.fromEntries(needs.map((need) => [`from-${need}`, need])),
  });

  it('puts each after those that it takes files from', () => {
    const names = inOrder([spec('c', 'b'), spec('a'), spec('b', 'a')]).map(({ name }) => name);
    expect(names).toEqual(['a', 'b', 'c']);
  });

  it('refuses a circle, and an image that is not there', () => {
    expect(() => inOrder([spec('a', 'b'), spec('b', 'a')])).toThrow('a → b → a');
    expect(() => inOrder([spec('a', 'b')])).toThrow('takes files from "b", which is not among them');
  });
});

function folder(name: string, text: string): string {
  mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, name, 'Dockerfile'), 'FROM scratch\nUSER 1\nCOPY file /file\n');
  writeFileSync(join(root, name, 'file'), text);
  return name;
}

describe('several images', () => {
  it('are made side by side, and only the one that changed is made again', async () => {
    const images = ['a', 'b', 'c'].map((name) => `${name}=${folder(name, name)}`).join('\n');
    const first = await runAction(root, { images, tags: 'x.test/{name}:1' });
    const made = JSON.parse(first.outputs.images!);
    expect(Object.keys(made)).toEqual(['a', 'b', 'c']);
    expect(new Set(Object.values(made).map((one) => (one as { digest: string }).digest)).size).toBe(3);

    folder('b', 'changed');
    const second = JSON.parse((await runAction(root, { images, tags: 'x.test/{name}:1' })).outputs.images!);
    expect([second.a.reused, second.b.reused, second.c.reused]).toEqual([true, false, true]);
    expect(second.a.digest).toBe(made.a.digest);
    expect(second.b.digest).not.toBe(made.b.digest);
    // What was cleaned up after b is only what no name leads to.
    const third = await runAction(root, { images, tags: 'x.test/{name}:1' });
    expect(third.outputs.reused).toBe('true');
  });

  it('do not hold each other up when one fails', async () => {
    folder('good', 'good');
    mkdirSync(join(root, 'bad'), { recursive: true });
    writeFileSync(join(root, 'bad', 'Dockerfile'), 'FROM scratch\nCOPY missing /\n');
    const images = 'bad=bad\ngood=good';
    await expect(runAction(root, { images, tags: 'x.test/{name}:2' })).rejects.toThrow('missing');
    const { outputs } = await runAction(root, { images: 'good=good', tags: 'x.test/{name}:2' });
    expect(JSON.parse(outputs.images!).good.reused).toBe(true);
  });

  it('are planned without being made', async () => {
    const { outputs } = await runAction(root, { images: `p=${folder('p', 'p')}`, plan: 'true' });
    expect(JSON.parse(outputs.plan!).p.how).toBe('assembled');
    expect(outputs.images).toBeUndefined();
  });
});
