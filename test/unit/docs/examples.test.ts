import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { definition as image } from '../../../actions/docker-multistage/definition.ts';
import { definition as build } from '../../../actions/go-build/definition.ts';
import { definition as rollout } from '../../../actions/k8s-rollout/definition.ts';
import { readConfig } from '../../../actions/up/config.ts';
import { definition as up } from '../../../actions/up/definition.ts';
import { type ActionDefinition, readInput } from '../../../shared/host/index.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Every piece of YAML that a reader may copy: the blocks of the documentation, and the workflows of the examples. */
const pieces = [
  ...globSync(['README.md', 'docs/**/*.md', 'actions/*/README.md', 'examples/*/README.md'], {
    cwd: ROOT,
  }).flatMap((file) =>
    [...read(file).matchAll(/^```ya?ml\n(.*?)^```$/gms)].map(
      ([, text = ''], i) => [`${file}, block ${i + 1}`, text] as const,
    ),
  ),
  ...globSync('examples/*/.github/workflows/*.yml', { cwd: ROOT }).map((file) => [file, read(file)] as const),
];

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

const ACTIONS: Readonly<Record<string, ActionDefinition>> = {
  '': up,
  '/actions/go-build': build,
  '/actions/docker-multistage': image,
  '/actions/k8s-rollout': rollout,
};

interface Step {
  readonly definition: ActionDefinition;
  readonly given: Readonly<Record<string, unknown>>;
}

/** The steps that use one of our actions, wherever they stand in it. */
function stepsIn(value: unknown): Step[] {
  if (typeof value !== 'object' || value === null) return [];
  const { uses, with: given } = value as { uses?: unknown; with?: Record<string, unknown> };
  const path = typeof uses === 'string' ? /^slipway-dev\/slipway(.*)@v\d+$/.exec(uses)?.[1] : undefined;
  const own = path === undefined ? [] : [{ definition: ACTIONS[path]!, given: given ?? {} }];
  return [...own, ...Object.values(value).flatMap(stepsIn)];
}

const steps = pieces.flatMap(([name, text]) => stepsIn(parse(text)).map((step) => [name, step] as const));
const configs = pieces.filter(([, text]) => /^(build|image|rollout):/m.test(text));

it('are found at all', () => {
  expect(steps.length).toBeGreaterThan(8);
  expect(configs.length).toBeGreaterThan(0);
});

it.each(steps)('%s: a step gives inputs that there are, with values that are accepted', (_, step) => {
  for (const [name, value] of Object.entries(step.given)) {
    expect(Object.keys(step.definition.inputs)).toContain(name);
    const text = String(value);
    if (!text.includes('${{')) readInput(name, step.definition.inputs[name]!, text);
  }
});

/** Workflows and lists of steps that publish with the whole pipeline: a reader may copy them as they are. */
const publishing = pieces.filter(([, text]) => /^ *push: ghcr\.io/m.test(text));

it('some publish', () => expect(publishing.length).toBeGreaterThan(1));

it.each(publishing)('%s: logs in before it publishes', (_, text) => {
  const login = text.indexOf('docker/login-action@');
  expect(login).toBeGreaterThan(-1);
  expect(login).toBeLessThan(text.search(/^ *push: /m));
});

it.each(configs)('%s: a slipway.yml is accepted', async (_, text) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-docs-'));
  writeFileSync(join(folder, 'slipway.yml'), text);
  await readConfig(folder, folder, 'slipway.yml', { build, image, rollout });
  rmSync(folder, { recursive: true });
});
