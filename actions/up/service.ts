import { existsSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { OWN_FOLDER } from '../../shared/content/index.ts';
import { parseTarget } from '../../shared/go/index.ts';
import {
  type ActionDefinition,
  Failure,
  type Host,
  type Inputs,
  readInputs,
} from '../../shared/host/index.ts';
import type { ImageRequest } from '../../shared/image/index.ts';
import { formatPlatform, machinePlatform, parsePlatform } from '../../shared/oci/index.ts';
import { definition as imageDefinition } from '../docker-multistage/definition.ts';
import { readNames } from '../docker-multistage/deliveries.ts';
import { readRequest } from '../docker-multistage/request.ts';
import { cacheFolder, type ImageInputs } from '../docker-multistage/run.ts';
import { definition as buildDefinition } from '../go-build/definition.ts';
import type { GoBuildInputs } from '../go-build/request.ts';
import { definition as rolloutDefinition } from '../k8s-rollout/definition.ts';
import type { RolloutInputs } from '../k8s-rollout/run.ts';
import { type Config, readConfig } from './config.ts';
import type { definition } from './definition.ts';

export type UpInputs = Inputs<typeof definition>;

/** The service that a run is about: its folder, its configuration, and what that means for each action. */
export interface Service {
  /** Absolute. */
  readonly directory: string;
  /** Names the image in the layout. */
  readonly name: string;
  readonly build: GoBuildInputs;
  readonly image: ServiceImage | { readonly kind: 'none'; readonly because: string };
  readonly rollout: ServiceRollout | { readonly kind: 'none'; readonly because: string };
}

export interface ServiceRollout {
  readonly kind: 'rollout';
  /** Without the image of this run. */
  readonly inputs: RolloutInputs;
}

export interface ServiceImage {
  readonly kind: 'image';
  readonly inputs: ImageInputs;
  readonly request: ImageRequest;
  /** Nobody asked for the layout by name: an image that is published already need not be fetched into it. */
  readonly spareLayout: boolean;
}

/** Reads the service's folder and slipway.yml; inputs of the run win over the file. */
export async function openService(host: Host, inputs: UpInputs): Promise<Service> {
  const directory = resolve(host.workspace, inputs.directory);
  checkDirectory(directory, inputs.directory);
  const config = await readConfig(host.workspace, directory, inputs.config, {
    build: buildDefinition,
    image: imageDefinition,
    rollout: rolloutDefinition,
  });
  const name = nameOf(config, directory);
  const asked = inputs.targets.length > 0 ? inputs.targets : read(buildDefinition, config.build).targets;
  const image = openImage(host, inputs, { directory, name, config, targets: asked });
  const platforms = image.kind === 'image' ? image.request.platforms.map(formatPlatform) : [];
  const build = read(buildDefinition, config.build, {
    'working-directory': directory,
    targets: [...new Set([...asked, ...platforms])].join(','),
    output: resolve(directory, config.build.output ?? '.slipway/bin'),
  });
  return { directory, name, build, image, rollout: openRollout(host, inputs, directory, config) };
}

function checkDirectory(directory: string, given: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  const what = stats === undefined ? `There is no folder ${given}` : `${given} is a file`;
  throw new Failure(`${what}; name the folder of a service, with its go.mod.`);
}

function read<D extends ActionDefinition>(
  definition: D,
  ...sections: readonly Readonly<Record<string, string>>[]
): Inputs<D> {
  return readInputs(
    definition,
    (name) => sections.findLast((section) => section[name] !== undefined)?.[name],
  );
}

interface Draft {
  readonly directory: string;
  readonly name: string;
  readonly config: Config;
  /** Targets of the binaries, as far as they were named. */
  readonly targets: readonly string[];
}

function openImage(host: Host, inputs: UpInputs, draft: Draft): Service['image'] {
  const { config, directory } = draft;
  const section = config.image;
  if (section === undefined) return without(inputs, `${config.file} says image: false`);
  const context = resolve(directory, section.context ?? '.');
  const file = section.file === undefined ? join(context, 'Dockerfile') : resolve(directory, section.file);
  if (section.file === undefined && !existsSync(file))
    return without(inputs, `there is no ${relative(host.workspace, file)}`);
  const within = (path: string) => relative(host.workspace, path) || '.';
  const given = read(imageDefinition, section, {
    context: within(context),
    file: within(file),
    platforms: platformsOf(inputs, section, draft.targets).join(','),
    layout: within(resolve(directory, section.layout ?? '.slipway/images')),
    load: String(inputs.load),
    push: String(inputs.push.length > 0),
    tags: inputs.push.length > 0 ? inputs.push.join('\n') : (section.tags ?? `${draft.name}:latest`),
  });
  readNames(given.tags);
  const request = readRequest(host, given, cacheFolder(), process.env);
  return {
    kind: 'image',
    inputs: given,
    request: { ...request, state: join(directory, OWN_FOLDER) },
    spareLayout: section.layout === undefined,
  };
}

/** What is published is rolled out where that is configured and a cluster is named: the current context of a laptop is nobody's choice. */
function openRollout(
  host: Host,
  inputs: UpInputs,
  directory: string,
  { rollout: section, image }: Config,
): Service['rollout'] {
  const { rollout, push } = inputs;
  const none = (because: string) => ({ kind: 'none', because }) as const;
  if (rollout === 'off') return none('it is turned off');
  if (rollout === 'auto' && section === undefined) return none('slipway.yml has no section rollout');
  if (push.length === 0) {
    if (rollout === 'auto') return none('the image is not published');
    throw new Failure('Input "rollout" is on, and the image is not published; name a registry with "push".');
  }
  const own = [
    'kubeconfig',
    'context',
    'namespace',
    'server',
    'token',
    'certificate-authority',
    'github-token',
  ] as const;
  const given = Object.fromEntries(
    own.filter((name) => inputs[name] !== '').map((name) => [name, inputs[name]]),
  );
  const named = [
    given.kubeconfig,
    given.context,
    given.server,
    section?.context,
    section?.contexts,
    section?.gitops,
  ];
  if (rollout === 'auto' && named.every((one) => one === undefined))
    return none(
      'no cluster is named; give kubeconfig, context or server, or rollout: on for the current context',
    );
  const manifests = read(rolloutDefinition, section ?? {}).manifests;
  return {
    kind: 'rollout',
    inputs: read(
      rolloutDefinition,
      { 'insecure-registries': image?.['insecure-registries'] ?? '' },
      section ?? {},
      given,
      {
        manifests: manifests
          .map((one) => (one === '-' ? one : relative(host.workspace, join(directory, one)) || '.'))
          .join('\n'),
      },
    ),
  };
}

function without(inputs: UpInputs, because: string): Service['image'] {
  if (inputs.push.length > 0 || inputs.load)
    throw new Failure(`There is no image to ${inputs.load ? 'load' : 'push'}: ${because}.`);
  return { kind: 'none', because };
}

/** The platforms of the image: as asked for, else the Linux targets, else Linux on this machine's processor. */
function platformsOf(
  inputs: UpInputs,
  section: Readonly<Record<string, string>>,
  targets: readonly string[],
): readonly string[] {
  const asked = inputs.platforms.length > 0 ? inputs.platforms : read(imageDefinition, section).platforms;
  if (asked.length > 0) return asked;
  const linux = targets
    .filter((target) => parseTarget(target).os === 'linux')
    .map((target) => formatPlatform(parsePlatform(target)));
  return linux.length > 0 ? linux : [formatPlatform({ ...machinePlatform(), os: 'linux' })];
}

/** A name that an image reference may have (distribution's grammar of a path component). */
function nameOf(config: Config, directory: string): string {
  const given = config.name ?? basename(directory);
  const name = given
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (config.name !== undefined && name !== config.name)
    throw new Failure(
      `"name" in ${config.file} is "${config.name}"; accepted are lower-case letters, digits, ".", "_" and "-", such as ${name || 'storefront'}.`,
    );
  return name || 'app';
}
