import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatDuration } from '../../../../shared/host/index.ts';
import { patienceOf } from '../../../../shared/rollout/diagnosis/patience.ts';
import { CAUSE_GUIDE, CAUSES, DEFAULT_PATIENCE, parsePatience } from '../../../../shared/rollout/index.ts';

it('is given by cause, over the default', () => {
  const patience = parsePatience(['unschedulable=5m', ' crash = 30s']);
  expect(patience).toEqual({ ...DEFAULT_PATIENCE, unschedulable: 300_000, crash: 30_000 });
});

it.each([
  [
    'unschedulabel=5m',
    'Patience "unschedulabel=5m" is not `cause=duration`, such as unschedulable=5m. Did you mean "unschedulable"?',
  ],
  ['crash', 'Patience "crash" is not `cause=duration`, such as unschedulable=5m. Did you mean "crash"?'],
  [
    'crash=soon',
    'Patience for crash is "soon"; accepted is a time with its unit, such as 500ms, 90s, 10m or 1h30m.',
  ],
])('says what is wrong with %s', (line, words) => expect(() => parsePatience([line])).toThrow(words));

it('is the user’s own where one is given, also for forms that have another', () => {
  expect(patienceOf(DEFAULT_PATIENCE, 'unschedulable', 3000)).toBe(3000);
  expect(patienceOf(parsePatience(['unschedulable=5m']), 'unschedulable', 3000)).toBe(300_000);
});

it('is written down for each cause in docs/causes.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/causes.md'), 'utf8');
  const rows = CAUSES.map((code) => {
    const { shows, patience, because, next } = CAUSE_GUIDE[code];
    return `| \`${code}\` | ${shows} | ${patience === 0 ? 'none' : formatDuration(patience).replace('.0 s', ' s').replace(' 0 s', '')} | ${because} | ${next} |`;
  });
  expect(page).toContain(rows.join('\n'));
});
