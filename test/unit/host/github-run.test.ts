import { describe, expect, it } from 'vitest';
import { readRun, readRunContext } from '../../../shared/host/github-run.ts';

const env = {
  GITHUB_REPOSITORY: 'octo/app',
  GITHUB_SHA: 'a'.repeat(40),
  GITHUB_SERVER_URL: 'https://github.example',
  GITHUB_RUN_ID: '7',
  GITHUB_REF_TYPE: 'branch',
  GITHUB_REF_NAME: 'main',
  GITHUB_ACTOR: 'octocat',
};
const pull = (full_name: string | null, login = 'octocat') => ({
  repository: { default_branch: 'main' },
  pull_request: { number: 12, user: { login }, head: { ref: 'feature', repo: full_name && { full_name } } },
});
const workflowRun = (event: string, full_name: string, head_branch = 'main', login = 'octocat') => ({
  repository: { default_branch: 'main' },
  workflow_run: { event, actor: { login }, head_branch, head_repository: { full_name } },
});

describe('trust', () => {
  it.each([
    ['push', {}, true],
    ['schedule', {}, true],
    ['workflow_dispatch', {}, true],
    ['merge_group', {}, true],
    ['release', {}, true],
    ['pull_request', pull('octo/app'), true],
    ['pull_request', pull('Octo/App'), true],
    ['pull_request', pull('mallory/app'), false],
    ['pull_request', pull(null), false],
    ['pull_request', {}, false],
    ['pull_request', undefined, false],
    ['pull_request', pull('octo/app', 'dependabot[bot]'), false],
    ['pull_request_review', pull('octo/app'), true],
    ['pull_request_review', pull('mallory/app'), false],
    ['pull_request_target', pull('octo/app'), false],
    ['pull_request_target', pull('mallory/app'), false],
    ['issue_comment', {}, false],
    ['issues', {}, false],
    ['discussion_comment', {}, false],
    ['workflow_run', workflowRun('push', 'octo/app'), true],
    ['workflow_run', workflowRun('push', 'octo/app', 'feature'), false],
    ['workflow_run', workflowRun('pull_request', 'octo/app', 'feature'), false],
    ['workflow_run', { ...workflowRun('push', 'octo/app'), repository: {} }, false],
    ['workflow_run', workflowRun('pull_request', 'mallory/app'), false],
    ['workflow_run', workflowRun('issue_comment', 'octo/app'), false],
    ['workflow_run', workflowRun('push', 'octo/app', 'main', 'dependabot[bot]'), false],
    ['workflow_run', {}, false],
    ['an_event_of_next_year', {}, false],
    ['', {}, false],
  ])('of %s with %j is %s', (name, event, trusted) => {
    expect(readRunContext({ ...env, GITHUB_EVENT_NAME: name }, event).trusted).toBe(trusted);
  });

  it.each([
    ['pull_request', pull('octo/app')],
    ['push', {}],
    ['create', {}],
    ['workflow_run', workflowRun('push', 'octo/app')],
  ])('is not given to a run that Dependabot started: %s', (name, event) => {
    const run = { ...env, GITHUB_EVENT_NAME: name, GITHUB_ACTOR: 'dependabot[bot]' };
    expect(readRunContext(run, event).trusted).toBe(false);
  });

  it('is not given where the event cannot be read', () => {
    const run = { ...env, GITHUB_EVENT_NAME: 'pull_request', GITHUB_EVENT_PATH: '/nonexistent' };
    expect(readRun(run).trusted).toBe(false);
  });
});

describe('what a run is part of', () => {
  it('of a push', () => {
    const event = { repository: { default_branch: 'trunk' } };
    expect(readRunContext({ ...env, GITHUB_EVENT_NAME: 'push' }, event)).toEqual({
      trusted: true,
      actor: { name: 'octocat', email: 'octocat@users.noreply.github.com' },
      repository: 'octo/app',
      branch: 'main',
      defaultBranch: 'trunk',
      sha: 'a'.repeat(40),
      url: 'https://github.example/octo/app/actions/runs/7',
    });
  });

  it('of a tag has a tag and no branch', () => {
    const run = { ...env, GITHUB_EVENT_NAME: 'push', GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v1.2.3' };
    const context = readRunContext(run, {});
    expect(context.tag).toBe('v1.2.3');
    expect(context).not.toHaveProperty('branch');
  });

  it.each([
    ['its own', 'octo/app', 'feature'],
    ["a fork's, which may be called main too", 'mallory/app', 'pull/12'],
  ])('of a pull request has %s branch', (_, repository, branch) => {
    const run = {
      ...env,
      GITHUB_EVENT_NAME: 'pull_request',
      GITHUB_REF_NAME: '12/merge',
      GITHUB_HEAD_REF: 'feature',
      GITHUB_BASE_REF: 'main',
    };
    expect(readRunContext(run, pull(repository))).toMatchObject({ branch, baseBranch: 'main' });
  });

  it('of a merge queue knows the branch that it is for', () => {
    const event = { merge_group: { base_ref: 'refs/heads/main' } };
    expect(readRunContext({ ...env, GITHUB_EVENT_NAME: 'merge_group' }, event).baseBranch).toBe('main');
  });

  it.each([null, 'text', 7, [], { pull_request: null }, { repository: null, workflow_run: null }])(
    'survives an event of %j',
    (event) => {
      for (const name of ['pull_request', 'workflow_run'])
        expect(readRunContext({ ...env, GITHUB_EVENT_NAME: name }, event).trusted).toBe(false);
    },
  );
});
