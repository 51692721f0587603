import { normalize } from 'node:path/posix';
import { type Check, parseChecks } from '../../shared/gate/index.ts';
import { Failure, type Inputs } from '../../shared/host/index.ts';
import {
  type Level,
  type Patience,
  parsePatience,
  parseRuleLevels,
  type Rule,
} from '../../shared/rollout/index.ts';
import { readRegistries } from '../docker-multistage/registries.ts';
import type { definition } from './definition.ts';
import { wavesOf } from './waves.ts';

export type RolloutInputs = Inputs<typeof definition>;

/** What the inputs ask for. */
export interface Request {
  /** Files, folders, globs or `-`. */
  readonly manifests: readonly string[];
  /** Lines `name=reference`. */
  readonly images: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly namespace: string | undefined;
  readonly release: string | undefined;
  readonly target: ClusterTarget | GitopsTarget;
  readonly configuration: 'annotation' | 'name' | 'none';
  readonly forceConflicts: readonly string[];
  readonly prune: boolean;
  readonly rules: Readonly<Partial<Record<Rule, Level>>>;
  /** Milliseconds. */
  readonly timeout: number;
  readonly patience: Patience;
  readonly checks: readonly Check[];
  readonly checkTimeout: number;
  readonly undo: boolean;
  readonly waitForOthers: number;
  readonly environment: { readonly name: string; readonly url: string | undefined } | undefined;
  readonly plan: boolean;
}

/** How clusters are entered; which one is a matter of the context. */
export interface Access {
  readonly kubeconfig?: string;
  readonly server?: string;
  readonly token?: string;
  readonly certificateAuthority?: string;
}

export interface ClusterTarget {
  readonly kind: 'clusters';
  readonly access: Access;
  /** Contexts, wave by wave; undefined stands for the current one. */
  readonly waves: readonly (readonly (string | undefined)[])[];
}

export interface GitopsTarget {
  readonly kind: 'gitops';
  readonly access: Access;
  /** A cluster that the preflight may ask; undefined: none was named. */
  readonly context: string | undefined;
  /** undefined: the one that is checked out. */
  readonly branch: string | undefined;
  /** With `/`, relative to the top of the repository; `.` for that itself. */
  readonly folder: string;
  readonly push: boolean;
}

/** Turns the inputs into a typed request. Throws a Failure for the first that is wrong, or that contradicts another. */
export function readRolloutRequest(inputs: RolloutInputs): Request {
  if (inputs.manifests.length === 0)
    throw new Failure(
      'Input "manifests" is empty; name files, folders or globs, or - for standard input, one a line.',
    );
  return {
    manifests: inputs.manifests,
    images: inputs.images,
    insecureRegistries: readRegistries(inputs['insecure-registries']),
    namespace: readNamespace(inputs.namespace),
    release: inputs.release || undefined,
    target: readTarget(inputs),
    configuration: inputs.configuration,
    forceConflicts: inputs['force-conflicts'],
    prune: inputs.prune,
    rules: parseRuleLevels(inputs.rules),
    timeout: readTime('timeout', inputs.timeout),
    patience: parsePatience(inputs.patience),
    checks: parseChecks(inputs.checks),
    checkTimeout: readTime('check-timeout', inputs['check-timeout']),
    undo: inputs.undo,
    waitForOthers: inputs['wait-for-others'] ?? 0,
    environment: readEnvironment(inputs),
    plan: inputs.plan,
  };
}

/** RFC 1123 label. */
function readNamespace(text: string): string | undefined {
  if (text === '') return undefined;
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text) && text.length <= 63) return text;
  const nearest = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  throw new Failure(
    `Input "namespace" is "${text}"; accepted are up to 63 lower-case letters, digits and "-"${nearest === '' ? '' : `, such as ${nearest}`}.`,
  );
}

function readTarget(inputs: RolloutInputs): ClusterTarget | GitopsTarget {
  const access = readAccess(inputs);
  const { contexts, context, gitops } = inputs;
  if (context !== '' && contexts.length > 0)
    throw new Failure('Inputs "context" and "contexts" are both given; name one cluster, or several.');
  const twice = contexts.find((one, index) => contexts.indexOf(one) !== index);
  if (twice !== undefined) throw new Failure(`Input "contexts" has "${twice}" twice.`);
  // Also where there is one cluster: a wrong input is wrong before it is needed.
  const waves = wavesOf(contexts, inputs.waves);
  if (gitops !== '') return readGitops(inputs, access);
  if (contexts.length > 0) return { kind: 'clusters', access, waves };
  return { kind: 'clusters', access, waves: [[context || undefined]] };
}

function readAccess({
  kubeconfig,
  server,
  token,
  contexts,
  context,
  'certificate-authority': authority,
}: RolloutInputs): Access {
  if (server === '' && token !== '')
    throw new Failure('Input "token" is given without "server"; name the address of the API server.');
  if (server === '' && authority !== '')
    throw new Failure('Input "certificate-authority" is given without "server"; a kubeconfig has its own.');
  if (server !== '' && token === '')
    throw new Failure(
      'Input "server" is given without "token"; give a token of a service account, or a kubeconfig.',
    );
  if (server !== '' && (kubeconfig !== '' || context !== '' || contexts.length > 0))
    throw new Failure(
      'Input "server" takes the place of a kubeconfig and its contexts; leave those out, or server.',
    );
  if (server !== '' && !/^https:\/\/[^/]/.test(server))
    throw new Failure(
      `Input "server" is "${server}"; accepted is an address with https, such as https://10.0.0.1:6443.`,
    );
  return {
    ...(kubeconfig !== '' && { kubeconfig }),
    ...(server !== '' && { server }),
    ...(token !== '' && { token }),
    ...(authority !== '' && { certificateAuthority: authority }),
  };
}

function readGitops(inputs: RolloutInputs, access: Access): GitopsTarget {
  const { gitops, contexts, context, checks, environment } = inputs;
  const clash = [
    contexts.length > 0 && 'contexts',
    checks.length > 0 && 'checks',
    environment !== '' && 'environment',
  ].find((one) => one !== false);
  if (clash !== undefined)
    throw new Failure(
      `Inputs "gitops" and "${clash}" are both given; with gitops nothing is rolled out by this run, so leave ${clash} out.`,
    );
  const colon = gitops.indexOf(':');
  const branch = colon < 0 ? undefined : gitops.slice(0, colon);
  const folder = gitops.slice(colon + 1).replace(/^(\.\/)+|\/+$/g, '') || '.';
  const steps = folder.split('/');
  if (folder.startsWith('/') || steps.includes('..') || steps.includes('.git') || steps.includes(''))
    throw new Failure(
      `Input "gitops" names the folder "${gitops.slice(colon + 1)}"; accepted is one below the top of the repository, such as deploy/production.`,
    );
  // Files that are rendered among those that they are rendered from would be read as the user's own by the next run.
  const source = branch === undefined ? inputs.manifests.find((one) => holds(one, folder)) : undefined;
  if (source !== undefined)
    throw new Failure(
      `Input "gitops" names the folder "${folder}", which is among the manifests ("${source}"); give one of its own.`,
    );
  if (branch !== undefined && !isBranch(branch))
    throw new Failure(
      `Input "gitops" names the branch "${branch}"; accepted is a name that git takes, as in production:deploy.`,
    );
  return {
    kind: 'gitops',
    access,
    context: context || undefined,
    branch: branch?.replace(/^refs\/heads\//, ''),
    folder,
    push: inputs['gitops-push'],
  };
}

function holds(source: string, folder: string): boolean {
  const outer = normalize(source).replace(/\/+$/, '');
  return outer === '.' || outer === folder || folder.startsWith(`${outer}/`);
}

/** As git check-ref-format has it, for the names that people give branches. */
const isBranch = (name: string) =>
  /^[^\s~^:?*[\\\x00-\x1f\x7f-]([^\s~^:?*[\\\x00-\x1f\x7f])*$/.test(name) &&
  !/\.\.|@\{|\/\/|\/\.|^\.|\.lock(\/|$)|[/.]$/.test(name) &&
  name !== '@';

function readTime(input: string, milliseconds: number | undefined): number {
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds;
  throw new Failure(`Input "${input}" is no time at all; accepted is one such as 90s or 10m.`);
}

function readEnvironment({ environment, 'environment-url': url }: RolloutInputs): Request['environment'] {
  if (environment === '' && url !== '')
    throw new Failure('Input "environment-url" is given without "environment"; name the environment.');
  if (url !== '' && !/^https?:\/\/[^/]/.test(url))
    throw new Failure(
      `Input "environment-url" is "${url}"; accepted is a web address, such as https://shop.example.`,
    );
  return environment === '' ? undefined : { name: environment, url: url || undefined };
}
