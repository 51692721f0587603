import { COMPANY_TIME, operatorOf } from './company.ts';
import { patienceOf } from './patience.ts';
import { type ContainerView, lastNotice, nameOf, type PodView, type Symptom } from './symptom.ts';

/** Why an image could not be had, as far as the words of the kubelet and the runtime tell. */
export type PullFault =
  | 'platform'
  | 'unauthorized'
  | 'not-found'
  | 'certificate'
  | 'limited'
  | 'network'
  | 'unclear';

/**
 * The words of containerd 1.x and 2.x, CRI-O and the Docker engine, and of the registries behind them. The order decides: a token
 * server that cannot be reached is not a refusal, and “not found” is also said of hosts and of platforms.
 */
const WORDS: readonly (readonly [PullFault, RegExp])[] = [
  [
    'platform',
    /no match(?:ing)? (?:for (?:current )?platform|manifest for)|no image found in (?:manifest list|image index)|does not match the specified platform|exec format error|operating system .* cannot be used on this platform|cannot be used on this (?:platform|host)/i,
  ],
  ['limited', /toomanyrequests|too many requests|\b429\b|rate limit|pull QPS exceeded/i],
  ['certificate', /x509:|server gave HTTP response to HTTPS client|first record does not look like a TLS/i],
  [
    'network',
    /dial (?:tcp|udp)|no such host|i\/o timeout|TLS handshake timeout|connection (?:refused|reset|timed out|error)|no route to host|network is unreachable|deadline exceeded|Client\.Timeout|name resolution|server misbehaving|proxyconnect|unexpected EOF|: EOF\b|request canceled|\b50[0234]\b (?:Internal|Bad|Service|Gateway)|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out|registry is unavailable/i,
  ],
  [
    'unauthorized',
    /unauthorized|\b40[13]\b|forbidden|denied|insufficient_scope|authentication required|authorization failed|no basic auth credentials|not authorized|authorization token has expired|invalid username\/password/i,
  ],
  [
    'not-found',
    /not found|NotFound|manifest.unknown|name.unknown|unknown (?:manifest|blob)|\b404\b|does not exist|no such image|tag .* was deleted or has expired|not known to registry/i,
  ],
];

/** Reads a message of a failed pull. */
export function readPullFault(message: string, image: string): PullFault {
  // Names of images and addresses must not be taken for words: an image may be called “certificate-denied”.
  const words = message
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(image, '')
    .replaceAll(/\S+:\/\/[^\s:]\S*(?=[\s:])/g, '');
  return WORDS.find(([, pattern]) => pattern.test(words))?.[0] ?? 'unclear';
}

const WAITING = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

/** Images that cannot be had. */
export function imageSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const waiting = container.status?.state?.waiting;
  const reason = waiting?.reason ?? '';
  const { image = '' } = container.spec;
  const base = { object: view.state.id, container: container.name };
  const who = nameOf(container, view);
  if (reason === 'InvalidImageName' || reason === 'ImageInspectError')
    return {
      ...base,
      code: 'image-invalid',
      message: `${who} has the image ${JSON.stringify(image)}, which cannot be read as a reference.`,
      evidence: [waiting?.message ?? reason],
      next: `Correct the image of container ${container.name}; a reference is host/repository:tag or host/repository@digest, in small letters.`,
      patience: patienceOf(view.patience, 'image-invalid'),
    };
  if (reason === 'ErrImageNeverPull')
    return {
      ...base,
      code: 'image-not-found',
      message: `${who} may not pull ${image} (imagePullPolicy Never), and the node ${view.state.pod.spec?.nodeName ?? ''} does not have it.`,
      evidence: [waiting?.message ?? reason],
      next: 'Load the image onto the nodes, or let it be pulled with imagePullPolicy IfNotPresent.',
      patience: patienceOf(view.patience, 'image-not-found'),
    };
  return WAITING.has(reason) ? pullSymptom(view, container, image, base, who) : undefined;
}

function pullSymptom(
  view: PodView,
  container: ContainerView,
  image: string,
  base: { object: Symptom['object']; container: string },
  who: string,
): Symptom {
  const waiting = container.status?.state?.waiting;
  const said = [
    view.state.pullErrors.get(container.name),
    lastNotice(view, /^Failed$/, container.name, /^Failed to pull image/)?.message,
    waiting?.message,
  ].find((text) => text !== undefined && !/^Back-off pulling image "[^"]*"$/.test(text));
  const evidence = [said ?? waiting?.message ?? waiting?.reason ?? ''];
  const host = registryOf(image);
  const made = (code: Symptom['code'], message: string, next: string, form?: number): Symptom => ({
    ...base,
    code,
    message: `${who} cannot pull ${image}: ${message}`,
    evidence,
    next,
    patience: patienceOf(view.patience, code, form),
  });
  switch (readPullFault(said ?? '', image)) {
    case 'platform':
      return made(
        'image-platform',
        `it has no variant for the platform of node ${view.state.pod.spec?.nodeName ?? 'that was chosen'}.`,
        'Build the image for that platform too, or choose nodes that fit with a nodeSelector on kubernetes.io/arch.',
      );
    case 'unauthorized': {
      const operator = pullSecrets(view)
        .map((name) => operatorOf(view.model, name))
        .find(Boolean);
      evidence.push(...(operator === undefined ? [] : [operator]));
      return made(
        'image-unauthorized',
        /does not exist/.test(said ?? '')
          ? `${host} does not let it in, or has no such repository (it answers both the same).`
          : `${host} does not let it in.`,
        credentialsAdvice(view),
        operator === undefined ? undefined : COMPANY_TIME,
      );
    }
    case 'not-found':
      return made(
        'image-not-found',
        `${host} has no such ${image.includes('@') ? 'digest' : 'tag or repository'}.`,
        `Push ${image}, or correct the image of container ${container.name}.`,
      );
    case 'certificate':
      return made(
        'registry-unreachable',
        `the node does not trust ${host}, or ${host} speaks HTTP where HTTPS is expected.`,
        `Give the nodes’ container runtime the CA of ${host}, or its plain address.`,
        3000,
      );
    case 'limited':
      return made(
        'registry-unreachable',
        `${host} takes no more requests for now.`,
        `Pull with credentials, or through a mirror of ${host}.`,
      );
    case 'network':
      return made(
        'registry-unreachable',
        `the node cannot reach ${host}.`,
        `See whether the nodes can resolve and reach ${host}, and whether it is up.`,
      );
    default:
      return made(
        'registry-unreachable',
        `the pull fails in a way that does not say why.`,
        `Read the message, and try the pull on node ${view.state.pod.spec?.nodeName ?? ''}.`,
      );
  }
}

/** The host that a reference is pulled from (distribution reference: the part before the first slash if it looks like one). */
function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

const pullSecrets = ({ state }: PodView): readonly string[] =>
  (state.pod.spec?.imagePullSecrets ?? []).flatMap(({ name }) => name || []);

function credentialsAdvice(view: PodView): string {
  const { state } = view;
  const names = pullSecrets(view);
  return names.length === 0
    ? `The pod has no imagePullSecrets: give it some, or its service account ${state.pod.spec?.serviceAccountName ?? 'default'}.`
    : `See whether ${names.length === 1 ? `Secret ${names[0]} exists, is` : `Secrets ${names.join(', ')} exist, are`} of type kubernetes.io/dockerconfigjson and may pull this repository.`;
}
