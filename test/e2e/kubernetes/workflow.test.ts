import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  act,
  type ClusterUser,
  describeWith,
  freshClone,
  go,
  kubernetes,
  kubernetesNetwork,
  kubernetesRegistry,
  runWorkflow,
} from '../../lab/index.ts';
import { commit, makeRepository } from '../storefront-repository.ts';
import { rulesOf } from './roles.ts';

const parts = {
  act: act(),
  go: go(),
  kubernetes: await kubernetes(),
  network: await kubernetesNetwork(),
  registry: await kubernetesRegistry(),
};

/** From a commit to pods, by the storefront's own workflow and on the actions as they are committed. */
describeWith('the workflow of the storefront with a cluster', parts, (lab) => {
  const open = new AsyncDisposableStack();
  let repository: string;
  let slipway: string;
  let shop: string;
  let deployer: ClusterUser;
  let first: string;

  beforeAll(async () => {
    slipway = open.use(await freshClone()).directory;
    const work = await mkdtemp(join(tmpdir(), 'slipway-workflow-'));
    open.defer(() => rm(work, { recursive: true, force: true }));
    repository = join(work, 'storefront');
    await cp(join(slipway, 'examples/storefront'), repository, { recursive: true });
    first = await makeRepository(repository);
    shop = open.use(await lab.kubernetes.namespace('workflow')).name;
    deployer = await lab.kubernetes.asUser(shop, { rules: rulesOf('deployer') });
  });
  afterAll(() => open.disposeAsync());

  /** A push of the last commit. What a log shows is of both streams. */
  async function push() {
    const { code, stdout, stderr } = await runWorkflow(lab.act, {
      repository,
      workflow: '.github/workflows/ship.yml',
      actions: { 'slipway-dev/slipway@v1': slipway },
      variables: { REGISTRY: lab.registry.host, NAMESPACE: shop },
      secrets: { KUBECONFIG: await readFile(deployer.kubeconfig, 'utf8') },
      env: {
        PATH: [dirname(process.execPath), dirname(lab.kubernetes.kubectlProgram), process.env.PATH].join(
          delimiter,
        ),
      },
    });
    return { code, log: `${stdout}${stderr}` };
  }

  const served = async () => {
    const url = await lab.network.serviceUrl(shop, 'storefront');
    return (await lab.network.ask(`${url}/api/version`)) as object;
  };

  test('rolls a push out, with no more rights than its page names, and tells no secret', {
    timeout: 600_000,
  }, async () => {
    const { code, log } = await push();
    expect(log).toContain('Job succeeded');
    expect(code).toBe(0);
    expect(log).toMatch(/Rolled out to workflow-\S+ on \S+ Revision 1 serves\./);
    expect(log).not.toContain(deployer.token);
    expect(await served()).toMatchObject({ version: '1.2.3', commit: first.slice(0, 12) });
    const told = await lab.kubernetes.kubectl(['get', 'deployment', 'storefront', '-n', shop, '-o', 'json']);
    const [container] = JSON.parse(told.stdout.toString()).spec.template.spec.containers;
    expect(container.image).toMatch(
      new RegExp(`^${lab.registry.host}/example/storefront:${first}@sha256:[0-9a-f]{64}$`),
    );
  });

  test('fails with the cause, and leaves the version before in service, when what is pushed does not start', {
    timeout: 600_000,
  }, async () => {
    const manifest = join(repository, 'deploy/configmap.yaml');
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('ttl: 2h', 'ttl: 2 hours'));
    await commit(repository, 'Keep carts for 2 hours', 'v1.2.4');
    const { code, log } = await push();
    expect(code).toBe(1);
    expect(log).toMatch(/::error .*storefront: Not rolled out to .*, and undone: .* Revision 1 serves\./);
    expect(log).toContain('2 hours');
    expect(await served()).toMatchObject({ version: '1.2.3', commit: first.slice(0, 12) });
  });
});
