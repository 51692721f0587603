import { expect, it } from 'vitest';
import { type FieldChange, withoutPlainSecrets } from '../../../../shared/rollout/index.ts';

const ID = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
const after = (field: FieldChange): FieldChange =>
  withoutPlainSecrets([{ id: ID, kind: 'update', fields: [field], basis: 'dry-run', conflicts: [] }])[0]!
    .fields[0]!;
const CONTAINER = 'spec.template.spec.containers[name=app]';

it.each<[string, Pick<FieldChange, 'before' | 'after'>]>([
  [`${CONTAINER}.env[name=API_TOKEN].value`, { before: 'old-value-1', after: 'new-value-2' }],
  [`${CONTAINER}.env[name=API_TOKEN].value`, { before: 'old-value-1', after: undefined }],
  [`${CONTAINER}.env[name=DSN].value`, { before: 'a', after: 'postgres://shop:old-value-1@db/shop' }],
  ['data.db_password', { before: 'old-value-1', after: 'new-value-2' }],
  ['data["db.password"]', { before: 'old-value-1', after: 'new-value-2' }],
])('of %s, which holds a secret in the open, only that it differs is left', (path, values) => {
  expect(after({ path, ...values })).toEqual({ path, before: undefined, after: undefined, secret: true });
});

it.each<FieldChange>([
  { path: `${CONTAINER}.env[name=LOG_LEVEL].value`, before: 'info', after: 'debug' },
  { path: `${CONTAINER}.image`, before: 'web:1', after: 'web:2' },
  { path: 'spec.replicas', before: 1, after: 3 },
  { path: 'data.password', before: undefined, after: undefined, secret: true },
])('$path stays as it is', (field) => {
  expect(after(field)).toEqual(field);
});

it('hides the values alone in what is new as a whole, and the lines of files that hold one', () => {
  const container = {
    name: 'app',
    env: [
      { name: 'API_TOKEN', value: 'old-value-1' },
      { name: 'LOG_LEVEL', value: 'info' },
    ],
  };
  expect(after({ path: CONTAINER, before: undefined, after: container }).after).toEqual({
    name: 'app',
    env: [
      { name: 'API_TOKEN', value: '(hidden)' },
      { name: 'LOG_LEVEL', value: 'info' },
    ],
  });
  const file = after({
    path: 'data["app.yaml"]',
    before: 'level: info\ndb:\n  password: old-value-1\n',
    after: 'level: debug\ndb:\n  password: new-value-2\n',
    lines: ['@@ -1,3 +1,3 @@', '-level: info', '+level: debug', '-  password: old-value-1'],
  });
  expect(JSON.stringify(file)).not.toMatch(/old-value|new-value/);
  expect(file.after).toBe('level: debug\ndb:\n  password: (hidden)\n');
  expect(file.lines).toEqual(['@@ -1,3 +1,3 @@', '-level: info', '+level: debug', '-  password: (hidden)']);
});

it('hides what arguments hold, by their names and by their own marks', () => {
  const args = (...given: string[]) => ['serve', ...given, '--level=info'];
  const token = `ghp_${'a1'.repeat(20)}`;
  const before = args('--db-password=old-value-1', '-Dshop.secret=old-value-1', '--token', token);
  const { after: shown } = after({ path: `${CONTAINER}.args`, before, after: before });
  expect(shown).toEqual(args('--db-password=(hidden)', '-Dshop.secret=(hidden)', '--token', '(hidden)'));
});
