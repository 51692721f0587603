import { expect, it, vi } from 'vitest';
import type { Digest } from '../../../../shared/content/index.ts';
import { Failure } from '../../../../shared/host/index.ts';
import { digestIn, pinImages } from '../../../../shared/kubernetes/index.ts';
import { at } from '../../../../shared/kubernetes/manifests/pod-template.ts';
import type { Reference } from '../../../../shared/oci/index.ts';
import { failureIn } from './failure.ts';
import { given } from './given.ts';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const resolve = async () => digest('a');

const pod = (spec: string) => `{template: {metadata: {}, spec: ${spec}}}`;
const spec = (image: string, name = 'app') => `{containers: [{name: ${name}, image: "${image}"}]}`;
const object = (apiVersion: string, kind: string, name: string, body: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${body}\n---\n`;
const deployment = (name: string, image: string, container?: string) =>
  object('apps/v1', 'Deployment', name, pod(spec(image, container)));

const path = ['spec', 'template', 'spec', 'containers', 0, 'image'];

it.each([
  ['apps/v1', 'Deployment', pod(spec('x')), path],
  ['apps/v1', 'StatefulSet', pod(spec('x')), path],
  ['apps/v1', 'DaemonSet', pod(spec('x')), path],
  ['apps/v1', 'ReplicaSet', pod(spec('x')), path],
  ['batch/v1', 'Job', pod(spec('x')), path],
  ['argoproj.io/v1alpha1', 'Rollout', pod(spec('x')), path],
  ['batch/v1', 'CronJob', `{jobTemplate: {spec: ${pod(spec('x'))}}}`, ['spec', 'jobTemplate', ...path]],
  ['v1', 'Pod', spec('x'), ['spec', 'containers', 0, 'image']],
  ['v1', 'ReplicationController', pod(spec('x')), path],
])('%s %s', async (apiVersion, kind, body, image) => {
  const [manifest] = given(object(apiVersion, kind, 'a', body));
  const { manifests, pinned } = await pinImages([manifest!], ['app=ghcr.io/o/app:1.2'], resolve);
  expect(at(manifests[0]!.object, image)).toBe(`ghcr.io/o/app:1.2@${digest('a')}`);
  expect(at(manifest!.object, image)).toBe('x');
  expect(pinned).toEqual([
    {
      object: { apiVersion, kind, name: 'a' },
      container: 'app',
      from: 'x',
      to: `ghcr.io/o/app:1.2@${digest('a')}`,
      pin: 'app',
    },
  ]);
});

it('init containers too, and leaves all else as it is', async () => {
  const body = `{template: {spec: {
    initContainers: [{name: migrate, image: "localhost:5000/shop/app:1"}, {name: wait, image: busybox}],
    containers: [{name: app, image: "localhost:5000/shop/app@${digest('b')}", env: [{name: A}]}, {name: proxy, image: envoy}]}}}`;
  const manifests = given(object('apps/v1', 'Deployment', 'a', body) + object('v1', 'Service', 'a', '{}'));
  const result = await pinImages(
    manifests,
    [`localhost:5000/shop/app=localhost:5000/shop/app@${digest('c')}`],
    resolve,
  );
  const to = `localhost:5000/shop/app@${digest('c')}`;
  expect(at(result.manifests[0]!.object, ['spec', 'template', 'spec'])).toEqual({
    initContainers: [
      { name: 'migrate', image: to },
      { name: 'wait', image: 'busybox' },
    ],
    containers: [
      { name: 'app', image: to, env: [{ name: 'A' }] },
      { name: 'proxy', image: 'envoy' },
    ],
  });
  expect(result.manifests[1]).toBe(manifests[1]);
  expect(result.pinned.map(({ container }) => container)).toEqual(['migrate', 'app']);
});

it.each([
  ['nginx', 'docker.io/library/nginx:1.27'],
  ['docker.io/library/nginx', 'nginx'],
  ['index.docker.io/library/nginx', `nginx@${digest('b')}`],
  ['localhost:5000/nginx', 'localhost:5000/nginx'],
  ['ghcr.io/Org/app'.toLowerCase(), 'ghcr.io/org/app:1'],
])('%s is the repository of %s', async (name, image) => {
  const { pinned } = await pinImages(given(deployment('a', image)), [`${name}=x@${digest('c')}`], resolve);
  expect(pinned).toHaveLength(1);
});

it('a tag is resolved once for all that have it, a digest never', async () => {
  const asked = vi.fn(async ({ repository }: Reference) => digest(repository === 'o/app' ? 'd' : 'e'));
  const manifests = given(
    deployment('a', 'x', 'one') + deployment('b', 'y', 'two') + deployment('c', 'z', 'three'),
  );
  const pins = ['one=ghcr.io/o/app', 'two=ghcr.io/o/app', `three=ghcr.io/o/other:2@${digest('f')}`];
  const { pinned } = await pinImages(manifests, pins, asked);
  expect(asked).toHaveBeenCalledTimes(1);
  expect(pinned.map(({ to }) => to)).toEqual([
    `ghcr.io/o/app:latest@${digest('d')}`,
    `ghcr.io/o/app:latest@${digest('d')}`,
    `ghcr.io/o/other:2@${digest('f')}`,
  ]);
});

it.each([
  ['app', '"app" is no pin; accepted is name=reference, such as storefront=ghcr.io/shop/storefront:1.2.'],
  ['=x', '"=x" is no pin; accepted is name=reference, such as storefront=ghcr.io/shop/storefront:1.2.'],
  [
    'ghcr.io/o/app:1=x',
    '"ghcr.io/o/app:1" has a tag or a digest before the "="; there stands the name of a container or a repository.',
  ],
  [
    'ap=x',
    '"ap" matches no container and no repository; there are app, ghcr.io/o/app, side, envoy. Did you mean "app"?',
  ],
  [
    'ghcr.io/o/ap=x',
    '"ghcr.io/o/ap" matches no container and no repository; there are app, ghcr.io/o/app, side, envoy. Did you mean "ghcr.io/o/app"?',
  ],
])('%s', async (pin, message) => {
  const manifests = given(deployment('a', 'ghcr.io/o/app:1') + deployment('b', 'envoy', 'side'));
  expect((await failureIn(pinImages(manifests, [pin], resolve))).message).toBe(`images: ${message}`);
});

it('a reference that is none is refused in the words of the registry room', async () => {
  const failure = await failureIn(pinImages(given(deployment('a', 'x')), ['app=Ghcr.io/O/App:1'], resolve));
  expect(failure.message).toContain('the name of a repository is in lower case');
});

it('a tag that cannot be resolved names the input, and what helps where the registry cannot be asked', async () => {
  const unreachable = async () => {
    throw new Failure('Cannot pull o/app:1: the registry lab.local was not reached, there is no such host.');
  };
  const asked = pinImages(given(deployment('a', 'x')), ['app=lab.local/o/app:1'], unreachable);
  expect((await failureIn(asked)).message).toBe(
    'images: the digest of "lab.local/o/app:1" is not known. Cannot pull o/app:1: the registry lab.local was not reached, there is no such host. Where the registry cannot be asked from here, give the digest too: app=lab.local/o/app:1@sha256:….',
  );
});

it('without a container there is nothing to pin', async () => {
  const failure = await failureIn(pinImages(given(object('v1', 'Service', 'a', '{}')), ['app=x'], resolve));
  expect(failure.message).toBe('images: "app" matches nothing: no manifest has a container.');
});

it('two pins for one container are refused at its place', async () => {
  const manifests = given(deployment('a', 'ghcr.io/o/app:1'));
  expect(await failureIn(pinImages(manifests, ['app=x', 'ghcr.io/o/app=y'], resolve))).toEqual({
    message:
      'images: "app" and "ghcr.io/o/app" both stand for container app of Deployment a; keep one of them.',
    location: { file: 'given.yaml', line: 4, column: 65 },
  });
});

it('a name of containers with different images is refused, since one of them would get the image of the other', async () => {
  const manifests = given(deployment('web', 'ghcr.io/o/web:1') + deployment('worker', 'ghcr.io/o/worker:1'));
  expect((await failureIn(pinImages(manifests, ['app=ghcr.io/o/web:2'], resolve))).message).toBe(
    'images: "app" stands for containers with different images, ghcr.io/o/web:1 in Deployment web and ghcr.io/o/worker:1 in Deployment worker; name the repository that is meant.',
  );
});

it('a placeholder is replaced by a pin, and refused without one', async () => {
  const manifests = given(deployment('a', '${' + 'IMAGE}'));
  const { pinned } = await pinImages(manifests, [`app=x@${digest('c')}`], resolve);
  expect(pinned[0]!.to).toBe(`x@${digest('c')}`);
  expect((await failureIn(pinImages(manifests, [], resolve))).message).toBe(
    'The image of container app is "${' + 'IMAGE}", a placeholder; give it with images: app=…',
  );
});

it('asks a registry for the digest with HEAD, and for its words where there is none', async () => {
  const manifest = vi.fn(async () => Promise.reject(new Error('no such tag')));
  const there = digestIn({ head: async () => ({ mediaType: 'm', digest: digest('1'), size: 1 }), manifest });
  expect(await there({ registry: 'r', repository: 'x', tag: '1' })).toBe(digest('1'));
  expect(manifest).not.toHaveBeenCalled();
  const absent = digestIn({ head: async () => undefined, manifest });
  await expect(absent({ registry: 'r', repository: 'x', tag: '1' })).rejects.toThrow('no such tag');
});
