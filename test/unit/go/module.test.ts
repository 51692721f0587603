import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findModule, parseModule } from '../../../shared/go/module.ts';

describe('go.mod', () => {
  it.each([
    ['module example.com/a\n\ngo 1.24\n', { path: 'example.com/a', go: '1.24' }],
    [
      '// c\nmodule "example.com/q" // why\ngo 1.24.1 // x\ntoolchain go1.26.8\n',
      { path: 'example.com/q', go: '1.24.1', toolchain: 'go1.26.8' },
    ],
    ['module `m`\ntoolchain default', { path: 'm' }],
    ['module m\r\n\r\ngo 1.21\r\n', { path: 'm', go: '1.21' }],
    ['module m\nrequire go.example/x v1.0.0\n', { path: 'm' }],
  ])('%j', (source, expected) => {
    expect(parseModule(source)).toEqual(expected);
  });

  it('without a module line is refused', () => {
    expect(() => parseModule('go 1.24', 'x/go.mod')).toThrow(
      'x/go.mod has no module line, such as "module example.com/app".',
    );
  });
});

describe('the module of a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'module-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const put = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };

  it('is that of the nearest go.mod above, in the nearest go.work', () => {
    put('go.work', 'go 1.24\nuse ./svc\n');
    put('svc/go.mod', 'module example.com/svc\n');
    put('svc/cmd/x/main.go', 'package main');
    const found = findModule(join(folder, 'svc/cmd/x'));
    expect(found).toEqual({
      root: join(folder, 'svc'),
      path: 'example.com/svc',
      workspace: join(folder, 'go.work'),
    });
    expect(findModule(join(folder, 'svc'), 'off')).not.toHaveProperty('workspace');
  });

  it('missing, names the folders that have one', () => {
    put('services/a/go.mod', 'module a');
    put('services/b/go.mod', 'module b');
    put('node_modules/c/go.mod', 'module c');
    expect(() => findModule(folder)).toThrow(
      `There is no go.mod in ${folder} or above it; there is one in services/a, services/b: name that folder as the working directory.`,
    );
  });

  it('missing everywhere, says how to make one', () => {
    expect(() => findModule(folder)).toThrow('create one with "go mod init"');
  });
});
