import { expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { readBuilder } from '../../../actions/docker-multistage/request.ts';
import { readInputs } from '../../../shared/host/index.ts';
import { memoryHost } from '../image/host.ts';

it('masks the values of secrets, wherever they come from', () => {
  const host = memoryHost('/w');
  const given: Readonly<Record<string, string>> = {
    secrets: 'token=from-an-input',
    'secret-envs': 'npm=NPM_TOKEN\nabsent=NOT_SET',
  };
  const { secrets } = readBuilder(
    host,
    readInputs(definition, (name) => given[name]),
    { NPM_TOKEN: 'from-a-variable' },
  );
  expect(secrets).toEqual([
    { id: 'token', value: 'from-an-input' },
    { id: 'npm', variable: 'NPM_TOKEN' },
    { id: 'absent', variable: 'NOT_SET' },
  ]);
  expect(host.secrets.filter(Boolean)).toEqual(['from-an-input', 'from-a-variable']);
});
