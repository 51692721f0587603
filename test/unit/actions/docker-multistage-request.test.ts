import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { readRequest } from '../../../actions/docker-multistage/request.ts';
import { Failure, readInputs } from '../../../shared/host/index.ts';
import { memoryHost } from '../image/host.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-request-'));

function request(inputs: Readonly<Record<string, string>>) {
  return readRequest(
    memoryHost(folder),
    readInputs(definition, (name) => inputs[name]),
    folder,
    {},
  );
}

describe('the input max-age', () => {
  it.each([
    ['12h', 43_200],
    ['7d', 604_800],
    ['1d12h', 129_600],
    [' 90M ', 5_400],
    ['2w', 1_209_600],
    ['0', 0],
    ['0d', 0],
  ])('takes %s', (text, seconds) => {
    expect(request({ 'max-age': text }).maxAge).toBe(seconds);
  });

  it('is seven days where nothing is said', () => {
    expect(request({}).maxAge).toBe(7 * 24 * 3600);
  });

  it.each([
    ['soon', /^Input "max-age" is "soon"; accepted is a time such as 12h, 7d or 1d12h, or 0 for never\.$/],
    ['7', /Did you mean 7h or 7d\?$/],
    ['-1d', /^Input "max-age" is "-1d"/],
    ['1.5h', /^Input "max-age" is "1\.5h"/],
  ])('refuses "%s" in one sentence', (text, message) => {
    expect(() => request({ 'max-age': text })).toThrow(Failure);
    expect(() => request({ 'max-age': text })).toThrow(message);
  });
});

it('says by their ids alone which secrets and agents a RUN finds', () => {
  const { runs } = request({
    secrets: 'token=hush-hush\n"two=line 1\nline 2"',
    'secret-envs': 'npm=NPM_TOKEN',
    'secret-files': 'netrc=./netrc',
    'github-token': 'hush',
    ssh: 'default,deploy=/tmp/agent.sock',
    network: 'none',
    'add-hosts': 'db:10.0.0.1',
    'no-cache-filters': 'build',
  });
  expect(runs).toMatchObject({
    secrets: ['token', 'two', 'npm', 'netrc', 'GIT_AUTH_TOKEN'],
    ssh: ['default', 'deploy'],
    network: 'none',
    addHosts: ['db:10.0.0.1'],
    again: ['build'],
  });
  expect(JSON.stringify(runs)).not.toMatch(/hush|line 1|NPM_TOKEN/);
});
