import { didYouMean, Failure } from '../host/index.ts';

/** A RUN --mount with its options expanded and checked. */
export interface Mount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly from: string;
  readonly target: string;
  readonly options: Readonly<Record<string, string>>;
}

const TYPES: readonly string[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING: readonly string[] = ['shared', 'private', 'locked'];

/** Other spellings of the options. */
const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};
const OPTIONS: readonly string[] = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'readwrite',
  'id',
  'sharing',
  'required',
  'size',
  'mode',
  'uid',
  'gid',
  'env',
];

/** What can be told before variables have values: that the options can be taken apart, and that `from` has no variable. */
export function checkMounts(mounts: readonly string[]): void {
  for (const mount of mounts) {
    for (const { key, value } of splitOptions(mount)) {
      const dollar = value?.indexOf('$') ?? -1;
      if (key === 'from' && dollar >= 0 && dollar !== value!.length - 1)
        throw new Failure(
          `RUN --mount has from=${value}, and from takes no variables; name the image with FROM ${value} AS name and write from=name.`,
        );
    }
  }
}

/** The source that a mount names before anything is expanded, as BuildKit sees it when it orders the stages. */
export function mountFrom(mount: string): string | undefined {
  return (
    splitOptions(mount).findLast(({ key, value }) => key === 'from' && value !== undefined)?.value ||
    undefined
  );
}

/** The values in a mount, which are the parts of it that are expanded. */
export function mountValues(mount: string): string[] {
  return splitOptions(mount).flatMap(({ value }) => value ?? []);
}

/** Reads one mount, in the order in which its options are written. */
export function readMount(text: string, expandWord: (word: string) => string): Mount {
  const given: Record<string, string> = {};
  for (const { key, value, field } of splitOptions(text)) {
    const name = ALIASES[key] ?? key;
    if (!OPTIONS.includes(name))
      throw new Failure(
        `RUN --mount has "${field}"; accepted are ${OPTIONS.join(', ')}.${didYouMean(key, OPTIONS)}`,
      );
    if (value === undefined && !['readonly', 'readwrite', 'required'].includes(name))
      throw new Failure(`RUN --mount has "${field}", which needs a value: ${field}=value.`);
    readOption(given, name, value === undefined ? 'true' : expandWord(value), text);
  }
  return checkMount(given, text);
}

function readOption(given: Record<string, string>, name: string, value: string, mount: string): void {
  const type = given.type ?? 'bind';
  switch (name) {
    case 'type':
      given[name] = choice('type', value, TYPES);
      return;
    case 'sharing':
      given[name] = choice('sharing', value, SHARING);
      return;
    case 'readonly':
    case 'readwrite':
      given.readonly = String(truth(name, value) === (name === 'readonly'));
      return;
    case 'required':
      if (type !== 'secret' && type !== 'ssh') throw misplaced('required', type, mount);
      given[name] = String(truth(name, value));
      return;
    case 'size':
      if (type !== 'tmpfs') throw misplaced('size', type, mount);
      given[name] = String(bytes(value));
      return;
    case 'mode':
    case 'uid':
    case 'gid':
      given[name] = whole(name, value, name === 'mode' ? 8 : 10);
      return;
    default:
      given[name] = value;
  }
}

function checkMount(given: Record<string, string>, text: string): Mount {
  const type = (given.type ?? 'bind') as Mount['type'];
  if (type === 'bind' || type === 'tmpfs')
    for (const name of ['mode', 'uid', 'gid'])
      if (given[name] !== undefined) throw misplaced(name, type, text);
  if (given.sharing !== undefined && type !== 'cache') throw misplaced('sharing', type, text);
  if (type === 'secret') checkSecret(given, text);
  const { type: _, from = '', target = '', ...options } = given;
  options.readonly ??= String(type !== 'cache' && type !== 'tmpfs');
  return { type, from, target, options };
}

function checkSecret(given: Record<string, string>, text: string): void {
  if (given.from) throw misplaced('from', 'secret', text);
  if (!given.source && !given.target && !given.id)
    throw new Failure(`RUN --mount=${text} names no secret; write id=name, or a target.`);
  if (given.source && given.id)
    throw new Failure(`RUN --mount=${text} has both source and id; one names the secret.`);
}

function misplaced(name: string, type: string, mount: string): Failure {
  return new Failure(`RUN --mount=${mount} has "${name}", which a mount of type ${type} does not take.`);
}

function choice(name: string, given: string, accepted: readonly string[]): string {
  const value = given.toLowerCase();
  if (accepted.includes(value)) return value;
  throw new Failure(
    `RUN --mount has ${name}=${given}; accepted are ${accepted.join(', ')}.${didYouMean(given, accepted)}`,
  );
}

// Go's strconv.ParseBool.
function truth(name: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new Failure(`RUN --mount has ${name}=${value}; accepted are true and false.`);
}

function whole(name: string, value: string, base: 8 | 10): string {
  const number = Number.parseInt(value, base);
  if ((base === 8 ? /^[0-7]+$/ : /^\d+$/).test(value) && number < 2 ** 32) return value;
  throw new Failure(
    `RUN --mount has ${name}=${value}; accepted is ${base === 8 ? 'an octal' : 'a decimal'} number.`,
  );
}

/** Docker's notation of sizes: a number and k, m, g, t, p, each 1,024 times the last, with an optional b or ib. */
function bytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(value);
  if (match === null)
    throw new Failure(`RUN --mount has size=${value}; accepted is a size such as 64m or 1g.`);
  return Math.trunc(
    Number(match[1]) * 1024 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(match[2]!.toLowerCase()),
  );
}

function splitOptions(mount: string): { key: string; value: string | undefined; field: string }[] {
  return splitFields(mount).map((field) => {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    return { key, value: equals < 0 ? undefined : field.slice(equals + 1), field };
  });
}

/** One line of comma-separated values (RFC 4180). */
function splitFields(line: string): string[] {
  if (line === '') throw new Failure('RUN --mount= is empty; write --mount=type=…,target=….');
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(rest);
    if (match === null) throw new Failure(`RUN --mount=${line} has a quote in the wrong place.`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === '') return fields;
    rest = rest.slice(match[0].length);
  }
}
