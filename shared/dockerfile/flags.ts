import { didYouMean, Failure } from '../host/index.ts';
import type { Instruction } from './model.ts';

type Kind = 'text' | 'flag' | 'list';

/** The flags that each instruction takes. ARG and STOPSIGNAL are missing on purpose: BuildKit does not look at theirs. */
const FLAGS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  ADD: {
    checksum: 'text',
    chmod: 'text',
    chown: 'text',
    exclude: 'list',
    'keep-git-dir': 'flag',
    link: 'flag',
    unpack: 'flag',
  },
  CMD: {},
  COPY: { chmod: 'text', chown: 'text', exclude: 'list', from: 'text', link: 'flag', parents: 'flag' },
  ENTRYPOINT: {},
  ENV: {},
  EXPOSE: {},
  FROM: { platform: 'text' },
  HEALTHCHECK: {
    interval: 'text',
    retries: 'text',
    'start-interval': 'text',
    'start-period': 'text',
    timeout: 'text',
  },
  LABEL: {},
  MAINTAINER: {},
  ONBUILD: {},
  RUN: { device: 'list', mount: 'list', network: 'text', security: 'text' },
  SHELL: {},
  USER: {},
  VOLUME: {},
  WORKDIR: {},
};

/** The flags of one instruction, checked against what it takes. */
export interface Flags {
  text(name: string): string | undefined;
  flag(name: string): boolean | undefined;
  list(name: string): readonly string[];
}

export function readFlags(instruction: Instruction): Flags {
  const known = FLAGS[instruction.keyword];
  const seen = new Map<string, string[]>();
  for (const { name, value } of known === undefined ? [] : instruction.flags) {
    const kind = known?.[name];
    if (kind === undefined) throw unknownFlag(instruction.keyword, name, Object.keys(known ?? {}));
    const values = seen.get(name) ?? [];
    if (values.length > 0 && kind !== 'list')
      throw new Failure(`${instruction.keyword} has --${name} twice.`);
    values.push(
      kind === 'flag'
        ? readBoolean(instruction.keyword, name, value)
        : readText(instruction.keyword, name, value),
    );
    seen.set(name, values);
  }
  return {
    text: (name) => seen.get(name)?.[0],
    flag: (name) => (seen.has(name) ? seen.get(name)![0] === 'true' : undefined),
    list: (name) => seen.get(name) ?? [],
  };
}

function unknownFlag(keyword: string, name: string, known: readonly string[]): Failure {
  const accepted = known.map((flag) => `--${flag}`).join(', ');
  const given = `${keyword} has the flag --${name}`;
  if (accepted === '') return new Failure(`${given}, but ${keyword} takes no flags.`);
  return new Failure(
    `${given}; accepted are ${accepted}.${didYouMean(
      `--${name}`,
      known.map((flag) => `--${flag}`),
    )}`,
  );
}

function readText(keyword: string, name: string, value: string | true): string {
  if (value === true) throw new Failure(`${keyword} --${name} has no value; write --${name}=value.`);
  return value;
}

function readBoolean(keyword: string, name: string, value: string | true): string {
  const text = value === true ? 'true' : value.toLowerCase();
  if (text === 'true' || text === 'false') return text;
  if (text === '') throw new Failure(`${keyword} --${name}= has no value; accepted are true and false.`);
  throw new Failure(`${keyword} --${name} is "${value}"; accepted are true and false.`);
}
