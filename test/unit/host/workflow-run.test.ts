import { expect, it } from 'vitest';
import { readRunContext } from '../../../shared/host/github-run.ts';

const env = {
  GITHUB_EVENT_NAME: 'push',
  GITHUB_REPOSITORY: 'org/app',
  GITHUB_WORKFLOW_REF: 'org/app/.github/workflows/release.yml@refs/heads/main',
  GITHUB_REF: 'refs/heads/main',
  GITHUB_RUN_ID: '77',
  GITHUB_RUN_ATTEMPT: '2',
  GITHUB_REPOSITORY_ID: '1',
  GITHUB_REPOSITORY_OWNER_ID: '2',
  RUNNER_ENVIRONMENT: 'github-hosted',
};

it('a run knows the workflow that it is of', () =>
  expect(readRunContext(env, { repository: { visibility: 'private' } }).workflow).toEqual({
    server: 'https://github.com',
    workflow: 'org/app/.github/workflows/release.yml@refs/heads/main',
    ref: 'refs/heads/main',
    event: 'push',
    runId: '77',
    attempt: '2',
    repositoryId: '1',
    ownerId: '2',
    runner: 'github-hosted',
    visibility: 'private',
  }));

it('what the runner does not say is not there', () => {
  expect(
    readRunContext({ GITHUB_WORKFLOW_REF: 'x', GITHUB_SERVER_URL: 'https://x.ghe.com' }, undefined).workflow,
  ).toEqual({
    server: 'https://x.ghe.com',
    workflow: 'x',
  });
  expect(readRunContext({}, undefined)).not.toHaveProperty('workflow');
});
