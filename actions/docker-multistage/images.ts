import { Failure, type Host, type Inputs, readInputs } from '../../shared/host/index.ts';
import type { ImageRequest } from '../../shared/image/index.ts';
import { readBakeFiles } from './bake.ts';
import { definition } from './definition.ts';

/** One of several images of a step, as the input "images" or a bake file names it. */
export interface ImageSpec {
  readonly name: string;
  /** Texts of the inputs that it has for itself; the step's hold for all others. */
  readonly own: Readonly<Record<string, string>>;
  /** Texts of inputs that take lines, to go with the step's own. */
  readonly added: Readonly<Record<string, readonly string[]>>;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Images whose files are a named context of this one: name of the context to name of the image. */
  readonly contexts: Readonly<Record<string, string>>;
}

/** The images that a step asks for by name; undefined where it asks for the one that its other inputs describe. */
export async function readImages(
  host: Host,
  inputs: Inputs<typeof definition>,
): Promise<readonly ImageSpec[] | undefined> {
  const { images } = inputs;
  const bake = inputs['bake-files'].length + inputs['bake-targets'].length + inputs['bake-set'].length > 0;
  if (images.length === 0 && !bake) return undefined;
  if (images.length > 0 && bake)
    throw new Failure('Inputs "images" and "bake-files" are two ways to name the images; use one of them.');
  if (bake) {
    refuse(
      inputs,
      ['context', 'file', 'target', 'tags', 'stages'],
      'which the bake file says for each image',
    );
    return await readBakeFiles(host, inputs);
  }
  refuse(inputs, ['context', 'file', 'target'], 'which "images" says for each image');
  return readLines(images, inputs.tags);
}

function refuse(inputs: Inputs<typeof definition>, names: readonly string[], because: string): void {
  const given = inputs as Readonly<Record<string, unknown>>;
  const one = names.find((name) => {
    const value = given[name];
    return Array.isArray(value) ? value.length > 0 : value !== definition.inputs[name as 'context']!.default;
  });
  if (one !== undefined) throw new Failure(`Input "${one}" is given, ${because}; leave it out.`);
}

const FIELDS = ['context', 'file', 'target'] as const;

/** Lines of `name=folder` or `name=context=.,file=cmd/api/Dockerfile,target=api`; `{name}` in tags stands for the name. */
function readLines(lines: readonly string[], tags: readonly string[]): ImageSpec[] {
  const specs = lines.map((line) => {
    const equals = line.indexOf('=');
    const name = line.slice(0, equals).trim();
    const place = line.slice(equals + 1).trim();
    if (equals <= 0 || place === '')
      throw new Failure(
        `Input "images" has the line "${line}"; accepted is name=folder, or name=context=FOLDER,file=PATH,target=STAGE.`,
      );
    const own = {
      ...readPlace(line, place),
      tags: tags.map((tag) => tag.replaceAll('{name}', name)).join('\n'),
    };
    return { name, own, added: {}, buildArgs: {}, labels: {}, contexts: {} };
  });
  if (specs.length > 1 && tags.some((tag) => !tag.includes('{name}')))
    throw new Failure(
      `Input "tags" has "${tags.find((tag) => !tag.includes('{name}'))}", which all ${specs.length} images would get; put {name} into it, such as ghcr.io/org/{name}:1.2.`,
    );
  checkNames(specs);
  return specs;
}

function readPlace(line: string, place: string): Record<string, string> {
  if (!/^(context|file|target)=/.test(place)) return { context: place };
  const own: Record<string, string> = {};
  for (const field of place.split(',')) {
    const [key, ...rest] = field.split('=');
    if (!FIELDS.includes(key!.trim() as 'file') || rest.length === 0)
      throw new Failure(`Input "images" has "${field}" in "${line}"; accepted are ${FIELDS.join('=, ')}=.`);
    own[key!.trim()] = rest.join('=').trim();
  }
  return own;
}

/** Names are keys of the outputs, and of nothing else: two images with one name would hide each other. */
export function checkNames(specs: readonly ImageSpec[]): void {
  const twice = specs.find(({ name }, index) => specs.findIndex((other) => other.name === name) < index);
  if (twice !== undefined)
    throw new Failure(`The image "${twice.name}" is named twice; give each its own name.`);
}

/** The inputs of one image: its own before the step's, and lines of both where it adds some. */
export function inputsOf(host: Host, spec: ImageSpec): Inputs<typeof definition> {
  return readInputs(definition, (name) => {
    const own = spec.own[name] ?? host.input(name);
    const added = spec.added[name];
    if (added === undefined || added.length === 0) return own;
    return [...(own === undefined || own === '' ? [] : [own]), ...added].join('\n');
  });
}

/** What an image asks for, with the arguments and labels that it has for itself. */
export function requestOf(request: ImageRequest, spec: ImageSpec): ImageRequest {
  return {
    ...request,
    buildArgs: { ...request.buildArgs, ...spec.buildArgs },
    labels: { ...request.labels, ...spec.labels },
  };
}

/** The images in an order in which each comes after those that it takes files from. */
export function inOrder(specs: readonly ImageSpec[]): ImageSpec[] {
  const ordered: ImageSpec[] = [];
  const visit = (spec: ImageSpec, above: readonly string[]): void => {
    if (above.includes(spec.name))
      throw new Failure(
        `The images ${[...above, spec.name].join(' → ')} take files from each other in a circle.`,
      );
    if (ordered.includes(spec)) return;
    for (const name of Object.values(spec.contexts)) {
      const needed = specs.find((one) => one.name === name);
      if (needed === undefined)
        throw new Failure(`The image "${spec.name}" takes files from "${name}", which is not among them.`);
      visit(needed, [...above, spec.name]);
    }
    ordered.push(spec);
  };
  for (const spec of specs) visit(spec, []);
  return ordered;
}
