import { afterEach, describe, expect, it, vi } from 'vitest';
import { createDeployments } from '../../../shared/host/deployments.ts';
import type { Annotation } from '../../../shared/host/index.ts';
import { type Fault, GithubApi } from './github-api.ts';

const RUN = {
  trusted: true,
  repository: 'shop/storefront',
  sha: 'c0ffee',
  url: 'https://github.com/shop/storefront/actions/runs/1',
};

describe('GitHub Deployments', () => {
  const open: GithubApi[] = [];
  afterEach(async () => {
    for (const api of open.splice(0)) await api[Symbol.asyncDispose]();
  });

  async function github(...answers: readonly Fault[]) {
    const api = await GithubApi.start(...answers);
    open.push(api);
    const notices: Annotation[] = [];
    const sleep = vi.fn(async (_: number) => {});
    const options = { run: RUN, api: api.url, annotate: (one: Annotation) => void notices.push(one), sleep };
    const deployments = createDeployments({ ...options, token: 'ghs_token' });
    return { api, notices, sleep, options, deployments };
  }

  it('are begun for the commit of the run, and say how it goes', async () => {
    const { api, notices, deployments } = await github();
    const id = await deployments.begin({ environment: 'production', description: 'v2', production: true });
    await deployments.status(id!, 'in_progress', { description: 'Rolling' });
    await deployments.status(id!, 'success', { url: 'https://shop.example', log: 'https://logs.example' });
    expect(api.faults).toEqual([]);
    expect(notices).toEqual([]);
    expect(api.tokens).toEqual(new Set(['token ghs_token']));
    expect(api.deployments).toEqual([
      {
        id,
        environment: 'production',
        body: {
          ref: 'c0ffee',
          environment: 'production',
          task: 'deploy',
          auto_merge: false,
          required_contexts: [],
          description: 'v2',
          production_environment: true,
          payload: { slipway: expect.any(String), run: RUN.url },
        },
        statuses: [
          { state: 'in_progress', description: 'Rolling', log_url: RUN.url },
          { state: 'success', environment_url: 'https://shop.example', log_url: 'https://logs.example' },
        ],
      },
    ]);
  });

  it('take a ref and say that they will be gone', async () => {
    const { api, deployments } = await github();
    await deployments.begin({
      environment: 'pr-7',
      ref: 'feature',
      transient: true,
      description: 'x'.repeat(200),
    });
    expect(api.faults).toEqual([]);
    expect(api.deployments[0]!.body).toMatchObject({ ref: 'feature', transient_environment: true });
    expect(api.deployments[0]!.body.description).toBe(`${'x'.repeat(139)}…`);
  });

  it('without the permission are one notice with its fix, and never more', async () => {
    const refused = { status: 403, message: 'Resource not accessible by integration' };
    const { api, notices, deployments } = await github(refused, refused);
    expect(await deployments.begin({ environment: 'production' })).toBeUndefined();
    await deployments.status(1, 'failure');
    expect(api.calls).toHaveLength(2);
    expect(notices).toEqual([
      {
        level: 'notice',
        message:
          'The Deployment to production was not recorded: GitHub answered 403, "Resource not accessible by integration". Give the job "permissions: deployments: write", or leave the environment out.',
      },
    ]);
  });

  it('are asked for again when GitHub stumbles, after the time that it names', async () => {
    const { api, notices, sleep, deployments } = await github(
      { status: 502 },
      { status: 403, message: 'You have exceeded a secondary rate limit', headers: { 'retry-after': '2' } },
    );
    expect(await deployments.begin({ environment: 'production' })).toBe(100);
    expect(sleep.mock.calls).toEqual([[1000], [2000]]);
    expect(api.deployments).toHaveLength(1);
    expect(notices).toEqual([]);
  });

  it('are not recorded twice when only the answer was lost', async () => {
    const { api, deployments } = await github({ status: 504, after: true });
    expect(await deployments.begin({ environment: 'production' })).toBe(100);
    expect(api.deployments).toHaveLength(1);
    expect(api.calls).toEqual([
      'POST /repos/shop/storefront/deployments',
      'GET /repos/shop/storefront/deployments?environment=production&per_page=10',
    ]);
    expect(api.faults).toEqual([]);
  });

  it.each<[string, readonly Fault[], number, string]>([
    [
      'that stays down',
      Array(3).fill({ status: 503, message: 'Unavailable' }),
      3,
      'GitHub answered 503, "Unavailable".',
    ],
    [
      'that wants to be left alone for long',
      [{ status: 429, message: 'Slow down', headers: { 'retry-after': '600' } }],
      1,
      'GitHub answered 429, "Slow down".',
    ],
    [
      'that does not know the ref',
      [{ status: 422, message: 'No ref found for: c0ffee' }],
      1,
      'GitHub answered 422, "No ref found for: c0ffee".',
    ],
  ])('of a GitHub %s are left out', async (_, answers, calls, said) => {
    const { api, notices, deployments } = await github(...answers);
    expect(await deployments.begin({ environment: 'production' })).toBeUndefined();
    expect(api.calls).toHaveLength(calls);
    expect(notices.map(({ message }) => message)).toEqual([
      `The Deployment to production was not recorded: ${said}`,
    ]);
  });

  it('of a GitHub that is not there are left out', async () => {
    const { notices, options } = await github();
    const deployments = createDeployments({ ...options, token: 't' });
    await open.pop()![Symbol.asyncDispose]();
    expect(await deployments.begin({ environment: 'production' })).toBeUndefined();
    expect(notices[0]!.message).toMatch(/was not recorded: GitHub could not be asked: /);
  });

  it('without a token ask nobody', async () => {
    const { api, notices, options } = await github();
    expect(await createDeployments({ ...options, token: '' }).begin({ environment: 'x' })).toBeUndefined();
    expect(notices[0]!.message).toBe(
      'The Deployment to x was not recorded: GitHub could not be asked: no token is given.',
    );
    expect(api.calls).toEqual([]);
  });
});
