import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';

/** What changes before a run; each builds on the state that the scenario before it left behind, as commits of a branch do. */
export const scenarios = [
  'cold',
  'unchanged',
  'label only',
  'leaf file',
  'core package',
  'dependency added',
  'base changed',
  'RUN changed',
] as const;

/** A repository of four services of which one changes: all four are asked for at once, or that one alone. */
export const serviceScenarios = ['four services, leaf file in one', 'that service alone'] as const;

export type Scenario = (typeof scenarios)[number] | (typeof serviceScenarios)[number];

export const exampleNames = ['storefront', 'beacon', 'hello'] as const;
export type ExampleName = (typeof exampleNames)[number];

/** A service that is built, and how its developers change it. */
export interface Example {
  readonly name: ExampleName;
  readonly dockerfile: string;
  /** Package of the program, as `go build` takes it. */
  readonly package: string;
  /** Folder of the build stage that the program is written to, from its root. */
  readonly output: string;
  /** Whether the final stage is FROM scratch. */
  readonly scratch: boolean;
  /** The file of package main, and a text in it that ends up in the binary. */
  readonly leaf: Place;
  /** A text in the package that nearly all others import, where there is one. */
  readonly core: Place | undefined;
}

interface Place {
  readonly file: string;
  readonly text: string;
}

export const examples: Readonly<Record<ExampleName, Example>> = {
  storefront: {
    name: 'storefront',
    dockerfile: 'Dockerfile.distroless',
    package: './cmd/storefront',
    output: 'out/',
    scratch: false,
    leaf: { file: 'cmd/storefront/main.go', text: 'log.Info("starting' },
    core: { file: 'internal/config/config.go', text: '"configuration: %w"' },
  },
  beacon: {
    name: 'beacon',
    dockerfile: 'Dockerfile',
    package: './cmd/beacon',
    output: 'out/',
    scratch: false,
    leaf: { file: 'cmd/beacon/main.go', text: 'log.Info("starting' },
    core: { file: 'internal/model/model.go', text: '"a service is plain data: %v"' },
  },
  // One file on the standard library: what is left is what the ways themselves cost. It knows no core package and no version.
  hello: {
    name: 'hello',
    dockerfile: 'Dockerfile',
    package: '.',
    output: '',
    scratch: true,
    leaf: { file: 'main.go', text: 'log.Printf("listening on' },
    core: undefined,
  },
};

/** Modules that no example has and that need no other: what is downloaded is one of them alone. */
const additions = [
  { path: 'github.com/rs/xid', version: 'v1.6.0', call: 'xid.New()' },
  { path: 'github.com/segmentio/ksuid', version: 'v1.0.4', call: 'ksuid.New()' },
] as const;

/** A change to be made: the how-manieth of its repository it is, and a text that tells the binary that has it from all others. */
export interface Edit {
  readonly scenario: Scenario;
  readonly number: number;
  readonly text: string;
}

/** Makes the change of a scenario in a work tree. What is about bases and labels is not in the files. */
export async function edit(
  example: Example,
  directory: string,
  { scenario, number, text }: Edit,
): Promise<void> {
  switch (scenario) {
    case 'cold':
    case 'unchanged':
    case 'label only':
    case 'base changed':
      return;
    case 'leaf file':
    case 'four services, leaf file in one':
    case 'that service alone': {
      const { file, text: before } = example.leaf;
      // The text of an earlier edit goes.
      const pattern = new RegExp(`${literal(before)}( slipway-bench-[\\w-]+)?`);
      return replace(join(directory, file), pattern, `${before} ${text}`);
    }
    case 'core package': {
      if (example.core === undefined) throw new Error(`${example.name} has no core package.`);
      const place = join(directory, example.core.file);
      const [start, end] = [example.core.text.slice(0, -4), example.core.text.slice(-4)];
      await replace(place, new RegExp(`${literal(start)}[^"]*${literal(end)}`), `${start} ${text}${end}`);
      // A new exported name: all that import the package are compiled again.
      const name = `Revision${number}`;
      return replace(place, /$/, `\n// ${name} tells builds apart.\nconst ${name} = ${number}\n`);
    }
    case 'dependency added':
      return addDependency(example, directory, number, text);
    case 'RUN changed':
      return replace(
        join(directory, example.dockerfile),
        /-X main\.version=\S+"/,
        `-X main.version=${text}"`,
      );
  }
}

/** Edits of the same place replace each other's text; undefined where an edit brings none into the binary. */
export function placeOf({ scenario, number }: Edit): string | undefined {
  switch (scenario) {
    case 'cold':
    case 'unchanged':
    case 'label only':
    case 'base changed':
      return undefined;
    case 'leaf file':
    case 'four services, leaf file in one':
    case 'that service alone':
      return 'leaf';
    case 'dependency added':
      return `dependency ${number}`;
    case 'core package':
    case 'RUN changed':
      return scenario;
  }
}

async function addDependency(
  example: Example,
  directory: string,
  number: number,
  text: string,
): Promise<void> {
  const goModule = await readFile(join(directory, 'go.mod'), 'utf8');
  const added = additions.find(({ path }) => !goModule.includes(path));
  if (added === undefined) throw new Error('There are no more modules to add.');
  const source = [
    'package main',
    '',
    'import (',
    '\t"fmt"',
    '\t"os"',
    '',
    `\t"${added.path}"`,
    ')',
    '',
    'func init() {',
    `\tif len(os.Args) == 2 && os.Args[1] == "-new-id-${number}" {`,
    `\t\tfmt.Println("${text}", ${added.call})`,
    '\t\tos.Exit(0)',
    '\t}',
    '}',
    '',
  ];
  await writeFile(join(directory, example.leaf.file, '..', `id${number}.go`), source.join('\n'));
  await go(directory, ['get', `${added.path}@${added.version}`]);
  await go(directory, ['mod', 'tidy']);
}

/** With the machine's own caches: what a developer's tools do is not part of the time. */
export async function go(directory: string, args: readonly string[]): Promise<string> {
  const finished = await run({ program: 'go', args, cwd: directory });
  return finished.stdout.toString().trim();
}

async function replace(file: string, pattern: RegExp, text: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = before.replace(pattern, () => text);
  if (after === before) throw new Error(`${file} was not changed`);
  await writeFile(file, after);
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
