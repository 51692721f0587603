import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  type ActionDefinition,
  didYouMean,
  Failure,
  type InputDefinition,
  type Location,
  readInput,
} from '../../shared/host/index.ts';

/** What slipway.yml says, as raw texts of the inputs of the actions that its sections configure. */
export interface Config {
  /** Path as messages show it; undefined when there is no file. */
  readonly file: string | undefined;
  readonly name: string | undefined;
  readonly build: Readonly<Record<string, string>>;
  /** undefined when the file says `image: false`. */
  readonly image: Readonly<Record<string, string>> | undefined;
  /** undefined when the file has no such section, or says `rollout: false`. */
  readonly rollout: Readonly<Record<string, string>> | undefined;
}

/** The actions that a section of slipway.yml configures: each input of the action is a key of the section. */
export type Sections = Readonly<Record<'build' | 'image' | 'rollout', ActionDefinition>>;

/** Inputs that slipway.yml leaves to the command line or to the pipeline itself. */
export const LEFT_TO_THE_RUN: ReadonlySet<string> = new Set([
  'plan',
  'push',
  'load',
  'working-directory',
  'github-token',
  'kubeconfig',
  'server',
  'token',
  'certificate-authority',
]);

type Yaml = typeof import('yaml');
type Entry = { readonly key: string; readonly value: unknown; readonly location: Location };

/**
 * Reads slipway.yml of a directory. A missing file is an empty configuration unless it was asked for by name. Every mistake is a
 * Failure at its line.
 */
export async function readConfig(
  workspace: string,
  directory: string,
  name: string,
  sections: Sections,
): Promise<Config> {
  const path = join(directory, name === '' ? 'slipway.yml' : name);
  const file = relative(workspace, path);
  if (!existsSync(path)) {
    if (name !== '')
      throw new Failure(`There is no configuration file ${file}; leave "config" out to go by the defaults.`);
    return { file: undefined, name: undefined, build: {}, image: {}, rollout: undefined };
  }
  const yaml = await import('yaml');
  return interpret(file, entries(yaml, file, readFileSync(path, 'utf8')), sections);
}

function interpret(
  file: string,
  top: readonly (Entry & { readonly entries: readonly Entry[] })[],
  sections: Sections,
): Config {
  let config: Config = { file, name: undefined, build: {}, image: {}, rollout: undefined };
  for (const entry of top) {
    if (entry.key === 'name') config = { ...config, name: scalar(entry) };
    else if (entry.key === 'build') config = { ...config, build: section(entry, sections.build) };
    else if (entry.key === 'image')
      config = { ...config, image: entry.value === 'false' ? undefined : section(entry, sections.image) };
    else if (entry.key === 'rollout')
      config = { ...config, rollout: entry.value === 'false' ? undefined : section(entry, sections.rollout) };
    else throw unknownKey(entry, ['name', 'build', 'image', 'rollout']);
  }
  return config;
}

function section(
  entry: Entry & { readonly entries: readonly Entry[] },
  definition: ActionDefinition,
): Record<string, string> {
  if (
    entry.value !== null &&
    entry.value !== '' &&
    (typeof entry.value !== 'object' || Array.isArray(entry.value))
  )
    throw new Failure(
      `"${entry.key}" in ${entry.location.file} is ${show(entry.value)}; accepted are the inputs of ${definition.name}, one a line.`,
      { location: entry.location },
    );
  const allowed = Object.keys(definition.inputs).filter((name) => !LEFT_TO_THE_RUN.has(name));
  const texts: Record<string, string> = {};
  for (const one of entry.entries) {
    if (!allowed.includes(one.key)) throw unknownKey(one, allowed, `${entry.key}.`);
    texts[one.key] = checked(one, definition.inputs[one.key]!, `${entry.key}.${one.key}`);
  }
  return texts;
}

function checked(entry: Entry, definition: InputDefinition, path: string): string {
  const text = definition.kind === 'list' ? list(entry) : scalar(entry);
  try {
    readInput(path, definition, text);
  } catch (error) {
    if (error instanceof Failure)
      throw new Failure(error.message, { location: entry.location, cause: error });
    throw error;
  }
  return text;
}

/** A YAML list is one value a line; a map, such as build-args or labels, is one NAME=VALUE a line. */
function list(entry: Entry): string {
  const { value } = entry;
  if (Array.isArray(value)) return value.map((item) => scalar({ ...entry, value: item })).join('\n');
  if (value === null || typeof value !== 'object') return scalar(entry);
  return Object.entries(value)
    .map(([name, item]) => `${name}=${scalar({ ...entry, value: item })}`)
    .join('\n');
}

function scalar(entry: Entry): string {
  const { value } = entry;
  if (value === null) return '';
  if (typeof value === 'object')
    throw new Failure(
      `"${entry.key}" in ${entry.location.file} is ${show(value)}; accepted is a single value.`,
      { location: entry.location },
    );
  return String(value);
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return value !== null && typeof value === 'object' ? 'a mapping' : JSON.stringify(value);
}

function unknownKey(entry: Entry, allowed: readonly string[], prefix = ''): Failure {
  const hint = didYouMean(entry.key, allowed) || ` Accepted are ${allowed.join(', ')}.`;
  return new Failure(`"${prefix}${entry.key}" is no key of ${entry.location.file}.${hint}`, {
    location: entry.location,
  });
}

function entries(
  yaml: Yaml,
  file: string,
  source: string,
): (Entry & { readonly entries: readonly Entry[] })[] {
  const counter = new yaml.LineCounter();
  // Every scalar stays the text that it is: `VERSION: 1.10` must not become 1.1.
  const document = yaml.parseDocument(source, {
    schema: 'failsafe',
    lineCounter: counter,
    prettyErrors: false,
  });
  const place = (offset: number | undefined): Location => {
    const { line, col } = counter.linePos(offset ?? 0);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const [fault] = document.errors;
  if (fault !== undefined)
    throw new Failure(`${file} is not valid YAML: ${fault.message.replace(/\.?$/, '.')}`, {
      location: place(fault.pos[0]),
    });
  const read = (node: unknown): (Entry & { readonly entries: Entry[] })[] => {
    if (!yaml.isMap(node)) return [];
    return node.items.map((pair) => ({
      key: String(yaml.isScalar(pair.key) ? pair.key.value : pair.key),
      value: yaml.isNode(pair.value) ? pair.value.toJS(document) : pair.value,
      location: place(yaml.isNode(pair.key) ? pair.key.range?.[0] : undefined),
      entries: read(pair.value),
    }));
  };
  if (document.contents !== null && !yaml.isMap(document.contents))
    throw new Failure(
      `${file} holds ${show(document.toJS())}; accepted is a mapping with the keys name, build, image and rollout.`,
      { location: place(0) },
    );
  return read(document.contents);
}
