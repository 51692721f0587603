import { Failure, type Host } from '../../shared/host/index.ts';
import { containersOf, podTemplateOf, readManifests } from '../../shared/kubernetes/index.ts';
import { formatReference, parseReference } from '../../shared/oci/index.ts';
import { type ImageRun, referenceOf } from '../docker-multistage/run.ts';
import { main, type RolloutInputs } from '../k8s-rollout/run.ts';
import type { Service } from './service.ts';

/** Rolls out the image that was just published, where that is wanted; else says why it is not. */
export async function rollOut(
  host: Host,
  { rollout, name }: Service,
  image: ImageRun | undefined,
): Promise<void> {
  if (rollout.kind === 'none') return host.log(`No rollout: ${rollout.because}.`);
  const reference = image?.made && referenceOf(image.made.names, image.made.result);
  if (reference === undefined) throw new Failure('There is no published image to roll out.');
  const { inputs } = rollout;
  const images =
    inputs.images.length > 0
      ? inputs.images.map((line) => line.replaceAll('{{reference}}', reference))
      : [`${await pinOf(host, inputs, reference, name)}=${reference}`];
  await main(withOwnOutputs(host), { ...inputs, images });
}

/** The outputs of a rollout, in the names that they have here. */
const withOwnOutputs = (host: Host): Host => ({
  ...host,
  output: (name, value) => {
    if (name === 'result') host.output('rollout', value);
    else if (name !== 'changed') host.output(name, value);
  },
});

/** What the image is called in the manifests: its repository, else the container of the service's name, else the only container. */
async function pinOf(host: Host, inputs: RolloutInputs, reference: string, service: string): Promise<string> {
  const explicit = 'name it with rollout.images in slipway.yml, as in app={{reference}}';
  if (inputs.manifests.includes('-'))
    throw new Failure(`Manifests on standard input are not searched for the image; ${explicit}.`);
  const manifests = await readManifests(inputs.manifests, {
    workspace: host.workspace,
    stdin: async () => '',
    env: process.env,
    signal: host.signal,
  });
  const containers = manifests.flatMap(({ object }) => {
    const template = podTemplateOf(object);
    return template === undefined ? [] : containersOf(template).map(({ container }) => container);
  });
  const repository = repositoryOf(reference);
  if (containers.some(({ image }) => image !== undefined && repositoryOf(image) === repository))
    return repository!;
  const names = [...new Set(containers.map((container) => container.name))];
  if (names.includes(service)) return service;
  if (names.length === 1) return names[0]!;
  throw new Failure(
    `Nothing in ${inputs.manifests.join(', ')} is of ${repository}, and no container is called ${service}: there are ${names.join(', ') || 'none'}; ${explicit}.`,
  );
}

function repositoryOf(reference: string): string | undefined {
  try {
    const { registry, repository } = parseReference(reference);
    return formatReference({ registry, repository });
  } catch {
    return undefined;
  }
}
