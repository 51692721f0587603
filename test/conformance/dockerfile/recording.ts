import { readFileSync, writeFileSync } from 'node:fs';
import { cases, refused } from './cases.ts';
import {
  many,
  random,
  randomDockerfile,
  randomGlob,
  randomIgnore,
  randomStars,
  randomWord,
} from './generate.ts';

/** BuildKit's answers to some of the questions, kept so that the unit tests can ask where there is no Go toolchain. */
export interface Recording {
  readonly buildkit: string;
  readonly builds: readonly unknown[];
  readonly files: readonly unknown[];
  readonly words: readonly unknown[];
  readonly ignored: readonly unknown[];
  readonly matches: readonly unknown[];
}

const from = random(8);

/** The questions, the same in every run. */
export const questions = {
  builds: [...Object.entries(cases), ...Object.entries(refused)],
  files: many(150, () => randomDockerfile(from)),
  words: many(400, () => randomWord(from)),
  ignored: [...many(150, () => randomIgnore(from)), ...many(50, () => randomStars(from))],
  matches: many(150, () => randomGlob(from)),
};

const file = new URL('../../unit/dockerfile/testdata/buildkit.json', import.meta.url);

export function readRecording(): Recording {
  return JSON.parse(readFileSync(file, 'utf8'));
}

export function writeRecording(recording: Recording): void {
  writeFileSync(file, `${JSON.stringify(recording)}\n`);
}
