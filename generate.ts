/**
 * Writes what follows from the actions' definitions: each action.yml, the tables between markers in their pages, and the JSON
 * Schema of slipway.yml. `node generate.ts --check` writes nothing and fails where a file differs.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { actions } from './actions/index.ts';
import { configSchema } from './actions/up/schema.ts';
import { COMMON_FLAGS } from './bin/arguments.ts';
import type { ActionDefinition, InputDefinition } from './shared/host/index.ts';
import { type Inline, mono, table, toMarkdown } from './shared/report/index.ts';

const ROOT = import.meta.dirname;
/** The action that is the repository itself: `uses: OWNER/slipway@v1`. */
const ROOT_ACTION = 'up';

const pathsOf = (name: string) =>
  name === ROOT_ACTION
    ? { manifest: 'action.yml', page: 'docs/pipeline.md', dist: `dist/${name}` }
    : {
        manifest: `actions/${name}/action.yml`,
        page: `actions/${name}/README.md`,
        dist: `../../dist/${name}`,
      };

/** action.yml as the runner reads it (docs.github.com, "Metadata syntax for GitHub Actions"). */
function manifest(definition: ActionDefinition): string {
  const { dist } = pathsOf(definition.name);
  const text = stringify(
    {
      name: definition.title,
      description: definition.description,
      author: 'Slipway',
      branding: { icon: definition.icon, color: definition.color },
      inputs: mapValues(definition.inputs, manifestInput),
      outputs: mapValues(definition.outputs, (description) => ({ description })),
      runs: {
        using: 'node24',
        main: `${dist}/main.mjs`,
        ...(definition.post ? { post: `${dist}/post.mjs` } : {}),
      },
    },
    { lineWidth: 120 },
  );
  return `# Made from actions/${definition.name}/definition.ts by "npm run generate".\n${text}`;
}

const manifestInput = (input: InputDefinition) => ({
  description: input.description,
  required: input.required,
  ...(input.default === '' ? {} : { default: input.default }),
});

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));

function inputTable(definition: ActionDefinition): string {
  const rows = Object.entries(definition.inputs).map(([name, input]): Inline[] => [
    mono(name),
    described(input),
    input.required ? 'required' : input.default === '' ? '' : mono(input.default.split('\n').join(', ')),
  ]);
  return toMarkdown([table(['Input', 'What it is', 'Default'], rows)]);
}

const KINDS: Readonly<Partial<Record<InputDefinition['kind'], string>>> = {
  list: ' One or several.',
  size: ' A size such as `20 MB` or `1.5 GiB`.',
  duration: ' A time such as `90s`, `10m` or `1h30m`.',
};

const described = (input: InputDefinition): Inline =>
  inline(
    input.description +
      (input.choices === undefined
        ? (KINDS[input.kind] ?? '')
        : ` One of ${input.choices.map((one) => `\`${one}\``).join(', ')}.`),
  );

function outputTable(definition: ActionDefinition): string {
  const rows = Object.entries(definition.outputs).map(([name, text]): Inline[] => [mono(name), inline(text)]);
  return toMarkdown([table(['Output', 'What it is'], rows)]);
}

/** Descriptions are plain text in which backticks mark code. */
const inline = (text: string): Inline =>
  text.split(/`([^`]+)`/).map((part, index) => (index % 2 === 1 ? mono(part) : part));

function fillMarkers(page: string, name: string, content: string, path: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no ${start} … ${end}`);
  return `${page.slice(0, from + start.length)}\n\n${content}\n${page.slice(to)}`;
}

/** An input that is called like a flag of every command could not be given in a terminal. */
function checkNames(definition: ActionDefinition): void {
  for (const name of Object.keys(definition.inputs)) {
    const positive = name.replace(/^no-/, '');
    if (name in COMMON_FLAGS)
      throw new Error(`Input "${name}" of ${definition.name} hides the flag --${name}.`);
    if (positive !== name && definition.inputs[positive]?.kind === 'flag')
      throw new Error(`Input "${name}" of ${definition.name} is also the opposite of "${positive}".`);
  }
}

async function generated(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const definitions: Record<string, ActionDefinition> = {};
  for (const [name, entry] of Object.entries(actions)) {
    const definition = await entry.definition();
    checkNames(definition);
    definitions[name] = definition;
    const paths = pathsOf(name);
    const page = await readFile(join(ROOT, paths.page), 'utf8').catch((cause) => {
      throw new Error(`${paths.page} is missing; it is where the tables of ${name} go.`, { cause });
    });
    const withInputs = fillMarkers(page, 'inputs', inputTable(definition), paths.page);
    files.set(paths.manifest, manifest(definition));
    files.set(paths.page, fillMarkers(withInputs, 'outputs', outputTable(definition), paths.page));
  }
  const schema = configSchema({
    build: definitions['go-build']!,
    image: definitions['docker-multistage']!,
    rollout: definitions['k8s-rollout']!,
  });
  return files.set('slipway.schema.json', `${JSON.stringify(schema, null, 2)}\n`);
}

async function differences(files: ReadonlyMap<string, string>): Promise<string[]> {
  const compared = [...files].map(async ([path, content]) => {
    const found = await readFile(join(ROOT, path), 'utf8').catch(() => undefined);
    return found === content ? [] : [path];
  });
  return (await Promise.all(compared)).flat();
}

const files = await generated();
const changed = await differences(files);
if (process.argv.includes('--check')) {
  for (const path of changed)
    console.error(`${path} does not follow from the definitions; run "npm run generate".`);
  process.exitCode = changed.length === 0 ? 0 : 1;
} else {
  for (const path of changed) await writeFile(join(ROOT, path), files.get(path)!);
  console.log(changed.length === 0 ? 'Nothing to write.' : `Wrote ${changed.join(', ')}.`);
}
