import { describe, expect, it } from 'vitest';
import { definition } from '../../../actions/k8s-rollout/definition.ts';
import { readRolloutRequest } from '../../../actions/k8s-rollout/request.ts';
import { Failure, readInputs } from '../../../shared/host/index.ts';

const read = (given: Readonly<Record<string, string>>) =>
  readRolloutRequest(readInputs(definition, (name) => given[name]));

describe('the request', () => {
  it('is made of defaults where nothing is said', () => {
    expect(read({})).toMatchObject({
      manifests: ['deploy'],
      images: [],
      target: { kind: 'clusters', access: {}, waves: [[undefined]] },
      configuration: 'annotation',
      timeout: 600_000,
      checkTimeout: 60_000,
      waitForOthers: 600_000,
      undo: true,
      prune: false,
      plan: false,
    });
  });

  it('reads all that can be said', () => {
    const request = read({
      manifests: 'deploy/\ncrds/*.yaml',
      images:
        'storefront=ghcr.io/shop/storefront@sha256:0=0\nregistry:5000/team/app = registry:5000/team/app:2',
      contexts: 'canary, eu-1, eu-2, us-1, us-2',
      kubeconfig: 'fleet.yaml',
      rules: 'latest-tag=error\nqos=off',
      patience: 'unschedulable=5m\nimage-not-found=0s',
      checks: 'http://storefront/readyz status=200',
      environment: 'production',
      'environment-url': 'https://shop.example',
      'wait-for-others': '0s',
      undo: 'false',
    });
    expect(request).toMatchObject({
      manifests: ['deploy/', 'crds/*.yaml'],
      images: [
        'storefront=ghcr.io/shop/storefront@sha256:0=0',
        'registry:5000/team/app = registry:5000/team/app:2',
      ],
      target: {
        kind: 'clusters',
        access: { kubeconfig: 'fleet.yaml' },
        waves: [['canary'], ['eu-1', 'eu-2'], ['us-1', 'us-2']],
      },
      rules: { 'latest-tag': 'error', qos: 'off' },
      patience: { unschedulable: 300_000, 'image-not-found': 0 },
      environment: { name: 'production', url: 'https://shop.example' },
      waitForOthers: 0,
      undo: false,
    });
    expect(request.checks).toHaveLength(1);
  });

  it.each([
    ['clusters/production', undefined, 'clusters/production'],
    ['./clusters/', undefined, 'clusters'],
    ['env/production:apps/shop', 'env/production', 'apps/shop'],
    ['production:', 'production', '.'],
    ['production:.', 'production', '.'],
  ])('takes gitops %s', (gitops, branch, folder) => {
    expect(read({ gitops, context: 'eu' }).target).toMatchObject({
      kind: 'gitops',
      branch,
      folder,
      push: true,
      context: 'eu',
    });
  });
});

describe('a wrong input', () => {
  it.each<[Readonly<Record<string, string>>, string]>([
    [
      { namespace: 'My Shop' },
      'Input "namespace" is "My Shop"; accepted are up to 63 lower-case letters, digits and "-", such as my-shop.',
    ],
    [{ namespace: 'n'.repeat(64) }, 'Input "namespace" is'],
    [{ context: 'a', contexts: 'b' }, 'Inputs "context" and "contexts" are both given'],
    [{ contexts: 'a, b, a' }, 'Input "contexts" has "a" twice.'],
    [{ contexts: 'a', waves: 'one' }, 'Input "waves" has "one"'],
    [{ waves: 'one' }, 'Input "waves" has "one"'],
    [{ waves: '0%' }, 'Input "waves" has "0%"'],
    [{ token: 't' }, 'Input "token" is given without "server"'],
    [{ server: 'https://k' }, 'Input "server" is given without "token"'],
    [{ server: 'k:6443', token: 't' }, 'Input "server" is "k:6443"; accepted is an address with https'],
    [{ server: 'https://k', token: 't', kubeconfig: 'x' }, 'Input "server" takes the place of a kubeconfig'],
    [{ server: 'https://k', token: 't', context: 'x' }, 'Input "server" takes the place of a kubeconfig'],
    [{ 'certificate-authority': 'x' }, 'Input "certificate-authority" is given without "server"'],
    [{ rules: 'lates-tag=off' }, 'Did you mean "latest-tag"?'],
    [{ rules: 'qos=warn' }, 'Input "rules" has "qos=warn"; accepted is rule=level with a level of'],
    [{ rules: 'qos' }, 'Input "rules" has "qos"; accepted is rule=level'],
    [{ patience: 'crsh=1m' }, 'Did you mean "crash"?'],
    [{ patience: 'crash=soon' }, 'Patience for crash is "soon"; accepted is a time with its unit'],
    [{ patience: 'crash' }, 'Patience "crash" is not `cause=duration`'],
    [{ timeout: '10' }, 'Input "timeout" is "10"; accepted is a time'],
    [{ timeout: '0s' }, 'Input "timeout" is no time at all'],
    [{ checks: 'htp://x' }, 'accepted are http'],
    [{ 'environment-url': 'https://x' }, 'Input "environment-url" is given without "environment"'],
    [
      { environment: 'e', 'environment-url': 'x' },
      'Input "environment-url" is "x"; accepted is a web address',
    ],
    [{ gitops: 'd', contexts: 'a' }, 'Inputs "gitops" and "contexts" are both given'],
    [{ gitops: 'd', checks: 'tcp://x:1' }, 'Inputs "gitops" and "checks" are both given'],
    [{ gitops: '../d' }, 'Input "gitops" names the folder "../d"'],
    [{ gitops: './deploy/rendered' }, 'which is among the manifests ("deploy"); give one of its own.'],
    [{ gitops: '/d' }, 'Input "gitops" names the folder "/d"'],
    [{ gitops: 'main:.git/hooks' }, 'Input "gitops" names the folder ".git/hooks"'],
    [{ gitops: '--upload-pack=x:d' }, 'Input "gitops" names the branch "--upload-pack=x"'],
    [{ gitops: 'a..b:d' }, 'Input "gitops" names the branch "a..b"'],
    [{ configuration: 'hash' }, 'Input "configuration" is "hash"; accepted are annotation, name, none.'],
    [{ plan: 'maybe' }, 'Input "plan" is "maybe"; accepted are true and false.'],
    [{ manifests: '# nothing' }, 'Input "manifests" is empty'],
  ])('%j is told in one sentence', (given, sentence) => {
    expect(() => read(given)).toThrow(Failure);
    expect(() => read(given)).toThrow(sentence);
  });
});
