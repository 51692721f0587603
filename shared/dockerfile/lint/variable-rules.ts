import { didYouMean, nearest } from '../../host/index.ts';
import { expand } from '../expand.ts';
import type { Statement } from '../instruction.ts';
import { mountValues } from '../mount.ts';
import { ExpansionError } from '../shell-pattern.ts';
import { each } from './image-rules.ts';
import type { Problem, Rule } from './rule.ts';
import { type Line, type Part, type Subject, tryExpand } from './subject.ts';

// The words by which BuildKit knows a secret, and those that take the suspicion away.
const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;

const secretInVariable: Rule = {
  name: 'secret-in-variable',
  level: 'warning',
  summary: 'no secret is handed in by ARG or ENV',
  buildkit: 'SecretsUsedInArgOrEnv',
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      const name = namesOf(statement).find((one) => SECRET.test(one) && !HARMLESS.test(one));
      if (name === undefined) return undefined;
      return {
        instruction,
        message: `${instruction.keyword} ${name} looks like a secret: its value stays in the image's history, for everyone who can pull it.`,
        fix: `Write RUN --mount=type=secret,id=${name.toLowerCase()},env=${name} at the command that needs it, and hand it in with secrets.`,
      };
    }),
};

function namesOf(statement: Statement): readonly string[] {
  if (statement.kind === 'env') return statement.pairs.map(({ key }) => key);
  return statement.kind === 'arg' ? statement.args.map(({ key }) => key) : [];
}

const undefinedVariable: Rule = {
  name: 'undefined-variable',
  level: 'warning',
  summary: 'variables are declared before they are used',
  buildkit: 'UndefinedVar',
  *find(subject) {
    const scopes = new Map<Part, Scope>();
    for (const part of subject.stages) {
      const scope = openScope(subject, part, scopes);
      scopes.set(part, scope);
      for (const line of part.lines) yield* checkLine(subject, scope, line);
    }
  },
};

interface Scope {
  readonly env: Map<string, string>;
  /** ARG without a value: known, but not set. */
  readonly declared: Set<string>;
  /** The base may set variables that nobody told us. */
  readonly open: boolean;
}

function openScope({ environment }: Subject, { base }: Part, scopes: ReadonlyMap<Part, Scope>): Scope {
  if (base.kind === 'stage') {
    const below = scopes.get(base.part)!;
    return { env: new Map(below.env), declared: new Set(below.declared), open: below.open };
  }
  const known = base.kind === 'scratch' ? [] : base.kind === 'image' ? environment(base.text) : undefined;
  const env = new Map([
    ['PATH', ''],
    ...(known ?? []).map((one) => one.split(/=(.*)/s, 2) as [string, string]),
  ]);
  return { env, declared: new Set(), open: known === undefined };
}

/** Variables that base images are known to set. */
const OF_BASES = /^(?:HOME|LANG|LC_\w+|GOPATH|GOROOT|GOTOOLCHAIN|\w+_VERSION|\w+_HOME)$/;

function* checkLine(subject: Subject, scope: Scope, { instruction, statement }: Line): Generator<Problem> {
  const missing = new Set<string>();
  if (statement.kind === 'arg') readArgs(subject, scope, statement, missing);
  else {
    for (const word of wordsOf(statement)) collect(subject, scope, word, missing);
    for (const body of bodiesOf(statement)) for (const name of missingInBody(body, scope)) missing.add(name);
    if (statement.kind === 'env') setAll(subject, scope, statement.pairs);
  }
  for (const name of missing) {
    if (scope.declared.has(name)) continue;
    const known = [...scope.env.keys(), ...scope.declared];
    // A variable of an unknown base is not undefined; one that is nearly the name of another one of the file is a slip.
    if (
      scope.open &&
      (OF_BASES.test(name) ||
        nearest(
          name,
          known.filter((one) => one !== 'PATH'),
        ) === undefined)
    )
      continue;
    yield {
      instruction,
      message: `$${name} is used, but nothing in the stage sets it; it is empty.${didYouMean(name, known)}`,
      fix: subject.globalNames.has(name)
        ? `Write ARG ${name} in this stage: an ARG above FROM counts for FROM only.`
        : `Write ARG ${name} or ENV ${name}=… above it.`,
    };
  }
}

function collect(subject: Subject, scope: Scope, word: string, missing: Set<string>): string {
  const expansion = tryExpand(subject.dockerfile, word, scope.env);
  for (const name of expansion?.missing ?? []) missing.add(name);
  return expansion?.word ?? '';
}

function readArgs(
  subject: Subject,
  scope: Scope,
  statement: Extract<Statement, { kind: 'arg' }>,
  missing: Set<string>,
): void {
  for (const { key, value } of statement.args) {
    const set = value === undefined ? subject.globals.get(key) : collect(subject, scope, value, missing);
    scope.declared.add(key);
    if (set !== undefined) scope.env.set(key, set);
  }
}

function setAll(
  subject: Subject,
  scope: Scope,
  pairs: readonly { readonly key: string; readonly value: string }[],
): void {
  for (const { key, value } of pairs)
    scope.env.set(key, tryExpand(subject.dockerfile, value, scope.env)?.word ?? '');
}

/** The words of an instruction that are expanded when the stage is built. */
function wordsOf(statement: Statement): readonly string[] {
  switch (statement.kind) {
    case 'env':
    case 'label':
      return statement.pairs.flatMap(({ key, value }) => [key, value]);
    case 'user':
    case 'workdir':
    case 'stopsignal':
      return [statement.text];
    case 'volume':
      return statement.words;
    case 'copy':
    case 'add':
      return [
        statement.chown,
        statement.chmod,
        statement.checksum,
        ...statement.sources,
        statement.destination,
      ];
    case 'run':
      return statement.mounts.flatMap(mountValues);
    default:
      return [];
  }
}

/** Heredocs of COPY and ADD in which variables count. */
function bodiesOf(statement: Statement): readonly string[] {
  if (statement.kind !== 'copy' && statement.kind !== 'add') return [];
  return statement.inline.flatMap((file) => (file.expand ? [file.content] : []));
}

function missingInBody(body: string, { env }: Scope): ReadonlySet<string> {
  try {
    return expand(body, (name) => env.get(name), { ignoreQuotes: true }).missing;
  } catch (error) {
    if (error instanceof ExpansionError) return new Set();
    throw error;
  }
}

export const variableRules: readonly Rule[] = [secretInVariable, undefinedVariable];
