import { expect, it } from 'vitest';
import { atWorkspace } from '../../../shared/host/place.ts';

const place = (file: string) =>
  atWorkspace({ level: 'error', message: '', location: { file, line: 3 } }, '/work');

it.each([
  ['main.go', 'main.go'],
  ['./cmd/main.go', 'cmd/main.go'],
  ['cmd\\main.go', 'cmd/main.go'],
  ['/work/cmd/main.go', 'cmd/main.go'],
  ['/workshop/main.go', '/workshop/main.go'],
  ['/go/pkg/mod/x.go', '/go/pkg/mod/x.go'],
  ['../outside.go', '../outside.go'],
])('the place of %s is %s', (given, shown) =>
  expect(place(given).location).toEqual({ file: shown, line: 3 }),
);
