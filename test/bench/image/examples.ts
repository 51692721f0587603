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

export const exampleNames = ['storefront', 'beacon'] as const;
export type ExampleName = (typeof exampleNames)[number];

/** A service that is built, and how its developers change it. */
export interface Example {
  readonly name: ExampleName;
  readonly dockerfile: string;
  /** The file of package main, and a text in it that ends up in the binary. */
  readonly leaf: Place;
  /** A text in the package that nearly all others import. */
  readonly core: Place;
}

interface Place {
  readonly file: string;
  readonly text: string;
}

export const examples: Readonly<Record<ExampleName, Example>> = {
  storefront: {
    name: 'storefront',
    dockerfile: 'Dockerfile.distroless',
    leaf: { file: 'cmd/storefront/main.go', text: 'log.Info("starting"' },
    core: { file: 'internal/config/config.go', text: '"configuration: %w"' },
  },
  beacon: {
    name: 'beacon',
    dockerfile: 'Dockerfile',
    leaf: { file: 'cmd/beacon/main.go', text: 'log.Info("starting"' },
    core: { file: 'internal/model/model.go', text: '"a service is plain data: %v"' },
  },
};

/** A module that neither example has, which needs no other: what is downloaded is it alone. */
const added = { path: 'github.com/rs/xid', version: 'v1.6.0' };

/** Texts that a binary must hold: each edit brings one of its own, so that a wrong reuse shows. */
export const marker = (scenario: Scenario, round: number) =>
  `slipway-bench-${scenario.replaceAll(' ', '-')}-${round}`;

/** Makes the change of a scenario in a work tree. What is about bases and labels is not in the files. */
export async function edit(
  example: Example,
  directory: string,
  scenario: Scenario,
  round: number,
): Promise<void> {
  const text = marker(scenario, round);
  switch (scenario) {
    case 'cold':
    case 'unchanged':
    case 'label only':
    case 'base changed':
      return;
    case 'leaf file':
    case 'four services, leaf file in one':
    case 'that service alone': {
      const place = join(directory, example.leaf.file);
      return replace(place, /log\.Info\("starting[^"]*"/, `log.Info("starting ${text}"`);
    }
    case 'core package': {
      const place = join(directory, example.core.file);
      const [start, end] = [example.core.text.slice(0, -4), example.core.text.slice(-4)];
      await replace(place, new RegExp(`${literal(start)}[^"]*${literal(end)}`), `${start} ${text}${end}`);
      // A new exported name: all that import the package are compiled again.
      return replace(
        place,
        /$/,
        `\n// Revision${round} tells builds apart.\nconst Revision${round} = ${round}\n`,
      );
    }
    case 'dependency added':
      return addDependency(example, directory, text);
    case 'RUN changed':
      return replace(
        join(directory, example.dockerfile),
        /-X main\.version=\S+"/,
        `-X main.version=${text}"`,
      );
  }
}

async function addDependency(example: Example, directory: string, text: string): Promise<void> {
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
    '\tif len(os.Args) == 2 && os.Args[1] == "-new-id" {',
    `\t\tfmt.Println("${text}", xid.New())`,
    '\t\tos.Exit(0)',
    '\t}',
    '}',
    '',
  ];
  await writeFile(join(directory, `cmd/${example.name}/id.go`), source.join('\n'));
  await go(directory, ['get', `${added.path}@${added.version}`]);
  await go(directory, ['mod', 'tidy']);
}

/** With the machine's own caches: what a developer's tools do is not part of the time. */
export async function go(directory: string, args: readonly string[]): Promise<string> {
  const finished = await run({ program: 'go', args, cwd: directory });
  return finished.stdout.toString().trim();
}

/** Whether an edit brings its marker into the binary. */
export const isInBinary = (scenario: Scenario) =>
  !['cold', 'unchanged', 'label only', 'base changed'].includes(scenario);

async function replace(file: string, pattern: RegExp, text: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = before.replace(pattern, () => text);
  if (after === before) throw new Error(`${file} was not changed`);
  await writeFile(file, after);
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
