import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedFiles } from '../../../shared/go/embed.ts';

describe('files that a go:embed pattern takes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'embed-'));
  beforeAll(() => {
    const names = [
      'a.txt',
      'b.txt',
      'c.md',
      '.hidden.txt',
      '[x].txt',
      'with space.txt',
      'static/index.html',
      'static/.env',
      'static/_partial.html',
      'static/css/site.css',
      'static/.git/config',
      'static/module/go.mod',
      'static/module/x.html',
      'static/deep/.cache/y',
    ];
    for (const name of names) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), name);
    }
    symlinkSync('a.txt', join(folder, 'link.txt'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['a.txt', ['a.txt']],
    ['*.txt', ['.hidden.txt', '[x].txt', 'a.txt', 'b.txt', 'with space.txt']],
    ['?.txt', ['a.txt', 'b.txt']],
    ['[a-b].txt', ['a.txt', 'b.txt']],
    ['[^a].txt', ['b.txt']],
    ['\\[x\\].txt', ['[x].txt']],
    ['with space.txt', ['with space.txt']],
    ['static', ['static/css/site.css', 'static/index.html']],
    [
      'all:static',
      [
        'static/.env',
        'static/_partial.html',
        'static/css/site.css',
        'static/deep/.cache/y',
        'static/index.html',
      ],
    ],
    ['static/*', ['static/.env', 'static/_partial.html', 'static/css/site.css', 'static/index.html']],
    ['static/*/*.css', ['static/css/site.css']],
    ['*/index.html', ['static/index.html']],
    ['nothing*', []],
    ['a.txt/x', []],
    ['[', []],
  ])('%s', (pattern, files) => {
    expect(embeddedFiles(folder, pattern)).toEqual(files.sort());
  });
});
