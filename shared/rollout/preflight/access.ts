import {
  ApiError,
  type ApiResource,
  type Cluster,
  idOf,
  type Manifest,
  type ObjectId,
  type ServerVersion,
} from '../../kubernetes/index.ts';
import { inParallel } from '../apply/in-parallel.ts';
import { CLAIM } from '../release/record.ts';
import type { MissingAccess } from './finding.ts';
import { listOf } from './workload.ts';

/** A right that a run needs. */
export interface AccessNeed {
  readonly verb: string;
  readonly group: string;
  /** Plural: `deployments`, `pods/log`. */
  readonly resource: string;
  /** undefined: in the whole cluster. */
  readonly namespace: string | undefined;
  /** Only for this object; undefined for all of them. */
  readonly name?: string | undefined;
  readonly need: MissingAccess['need'];
  /** What cannot be done without it. */
  readonly loses: string;
}

/** What a run does, as far as rights go. */
export interface RunShape {
  readonly manifests: readonly Manifest[];
  /** How the cluster serves the kind of an object; undefined where it does not (yet). */
  readonly resourceOf: (id: Pick<ObjectId, 'apiVersion' | 'kind'>) => ApiResource | undefined;
  readonly isLive: (id: ObjectId) => boolean;
  /** Namespace of the release's record and Lease. */
  readonly namespace: string;
  readonly pruned: readonly ObjectId[];
  readonly undo: boolean;
  /** Ways by which checks get to pods. */
  readonly checks: readonly ('connect' | 'exec')[];
  /** Name of the record and of the Lease; undefined where it is not known yet. */
  readonly record?: string | undefined;
  readonly version?: ServerVersion | undefined;
}

interface Wanted {
  readonly group?: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  readonly loses: string;
  readonly need?: MissingAccess['need'];
  readonly name?: string | undefined;
}

/** Every right that a run of this shape needs, each once: what only helps is optional. */
export function accessNeeds(shape: RunShape): readonly AccessNeed[] {
  const namespaces = new Set(shape.manifests.flatMap(({ object }) => object.metadata.namespace ?? []));
  const all = [
    ...shape.manifests.flatMap(({ object }) => applying(shape, idOf(object))),
    ...shape.pruned.flatMap((id) =>
      objectNeeds(shape, id, ['delete'], 'required', 'deleting what the manifests no longer have'),
    ),
    ...release(shape).flatMap((wanted) => inNamespace(wanted, shape.namespace)),
    ...[...namespaces].flatMap((namespace) => [
      ...watching(shape, namespace).flatMap((wanted) => inNamespace(wanted, namespace)),
      ...judging().flatMap((wanted) => inNamespace(wanted, namespace)),
      ...checking(shape).flatMap((wanted) => inNamespace(wanted, namespace)),
    ]),
  ];
  return strongest(all);
}

function applying(shape: RunShape, id: ObjectId): AccessNeed[] {
  const isNew = !shape.isLive(id);
  return [
    // Server-side apply is a patch, and a creation as well where there is no such object yet.
    ...objectNeeds(shape, id, ['get', 'patch'], 'required', `applying ${id.kind}`),
    ...(isNew
      ? objectNeeds(shape, { ...id, name: '' }, ['create'], 'required', `creating ${id.kind} ${id.name}`)
      : []),
    ...(isNew && shape.undo
      ? objectNeeds(
          shape,
          id,
          ['delete'],
          'optional',
          `removing ${id.kind} ${id.name} again when the rollout is undone`,
        )
      : []),
  ];
}

function objectNeeds(
  { resourceOf }: RunShape,
  { apiVersion, kind, namespace, name }: ObjectId,
  verbs: readonly string[],
  need: MissingAccess['need'],
  loses: string,
): AccessNeed[] {
  const resource = resourceOf({ apiVersion, kind });
  if (resource === undefined) return [];
  return verbs.map((verb) => ({
    verb,
    group: resource.group,
    resource: resource.plural,
    namespace: resource.namespaced ? namespace : undefined,
    ...(name !== '' && { name }),
    need,
    loses,
  }));
}

/** The record of the release, its Lease, and the kept generations of configuration. */
function release({ manifests, record: name }: RunShape): Wanted[] {
  const kept = ['ConfigMap', 'Secret'].filter((kind) => manifests.some(({ object }) => object.kind === kind));
  const copies = 'keeping earlier values of configuration for an undo';
  return [
    {
      resource: 'configmaps',
      verbs: ['get', 'create', 'update'],
      name,
      loses: 'remembering what was proven',
    },
    {
      group: 'coordination.k8s.io',
      resource: 'leases',
      verbs: ['get', 'create', 'update'],
      loses: 'keeping two runs from the same release',
      name,
    },
    {
      group: 'coordination.k8s.io',
      resource: 'leases',
      verbs: ['delete'],
      loses: 'handing the Lease back at once',
      name,
      need: 'optional',
    },
    {
      group: 'coordination.k8s.io',
      resource: 'leases',
      verbs: ['get', 'create', 'update', 'delete'],
      loses: 'keeping releases of different names from one workload when they take it at the same time',
      name: CLAIM,
      need: 'optional',
    },
    ...(kept.includes('Secret') ? [{ resource: 'secrets', verbs: ['get', 'create'], loses: copies }] : []),
    ...kept.map((kind) => ({
      resource: kind === 'Secret' ? 'secrets' : 'configmaps',
      verbs: ['delete'],
      loses: 'removing generations of configuration that are older than revisionHistoryLimit',
      need: 'optional' as const,
    })),
  ];
}

const WATCHED: Readonly<Record<string, readonly Wanted[]>> = {
  Deployment: [
    { group: 'apps', resource: 'deployments', verbs: ['list', 'watch'], loses: 'following Deployments' },
    {
      group: 'apps',
      resource: 'replicasets',
      verbs: ['list', 'watch'],
      loses: 'telling pods of the new revision from old ones',
    },
  ],
  StatefulSet: [
    { group: 'apps', resource: 'statefulsets', verbs: ['list', 'watch'], loses: 'following StatefulSets' },
    {
      resource: 'pods',
      verbs: ['delete'],
      loses: 'undoing a StatefulSet that waits for a pod of the failed revision',
      need: 'optional',
    },
  ],
  DaemonSet: [
    { group: 'apps', resource: 'daemonsets', verbs: ['list', 'watch'], loses: 'following DaemonSets' },
  ],
  Job: [{ group: 'batch', resource: 'jobs', verbs: ['list', 'watch'], loses: 'following Jobs' }],
};

function watching({ manifests }: RunShape, namespace: string): Wanted[] {
  const kinds = new Set(
    manifests
      .filter(({ object }) => object.metadata.namespace === namespace)
      .map(({ object }) => object.kind),
  );
  const watched = Object.keys(WATCHED).filter((kind) => kinds.has(kind));
  if (watched.length === 0) return [];
  return [
    ...watched.flatMap((kind) => WATCHED[kind]!),
    { resource: 'pods', verbs: ['list', 'watch'], loses: 'seeing whether pods get ready, and why not' },
    {
      resource: 'events',
      verbs: ['list', 'watch'],
      loses: 'events as evidence of a cause',
      need: 'optional',
    },
    {
      resource: 'pods/log',
      verbs: ['get'],
      loses: 'the last lines that a crashed container printed',
      need: 'optional',
    },
  ];
}

/** What rules read beside the manifests. */
const judging = (): Wanted[] => [
  { resource: 'services', verbs: ['list'], loses: 'judging whether pods take requests', need: 'optional' },
  {
    resource: 'resourcequotas',
    verbs: ['list'],
    loses: 'judging whether the quota holds the new pods',
    need: 'optional',
  },
  {
    resource: 'limitranges',
    verbs: ['list'],
    loses: 'judging which resources containers are given',
    need: 'optional',
  },
  {
    group: 'autoscaling',
    resource: 'horizontalpodautoscalers',
    verbs: ['list'],
    loses: 'leaving replicas to an autoscaler that is not in the manifests',
    need: 'optional',
  },
  {
    group: 'policy',
    resource: 'poddisruptionbudgets',
    verbs: ['list'],
    loses: 'judging budgets that are not in the manifests',
    need: 'optional',
  },
];

function checking({ checks, version }: RunShape): Wanted[] {
  // They are GET requests that become sockets; from 1.35 the server asks for the right to create beside that to get.
  const verbs = (version?.minor ?? 0) >= 35 ? ['get', 'create'] : ['get'];
  const through = 'checks through the cluster';
  return [
    ...(checks.includes('connect')
      ? [
          { resource: 'pods/portforward', verbs, loses: through },
          { resource: 'services', verbs: ['get'], loses: through },
        ]
      : []),
    ...(checks.includes('exec')
      ? [{ resource: 'pods/exec', verbs, loses: 'checks by a command in a pod' }]
      : []),
  ];
}

const inNamespace = (
  { group = '', resource, verbs, loses, need = 'required', name }: Wanted,
  namespace: string,
): AccessNeed[] =>
  verbs.map((verb) => ({
    verb,
    group,
    resource,
    namespace,
    need,
    loses,
    // What is created has no name yet, as far as rights go.
    ...(name !== undefined && verb !== 'create' && { name }),
  }));

/** Each right once; one that is required for anything is required. */
function strongest(all: readonly AccessNeed[]): AccessNeed[] {
  const groups = Map.groupBy(all, ({ verb, group, resource, namespace, name }) =>
    JSON.stringify([verb, group, resource, namespace, name]),
  );
  return [...groups.values()].map((same) => same.find(({ need }) => need === 'required') ?? same[0]!);
}

interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** What a token may do in a namespace, and whether that is all of it. */
export interface GrantedRules {
  readonly rules: readonly Rule[];
  readonly incomplete: boolean;
}

/** Whether rules give a right (rbac.authorization.k8s.io/v1 PolicyRule). */
export function isGranted(rules: readonly Rule[], { verb, group, resource, name }: AccessNeed): boolean {
  const has = (list: unknown, ...wanted: readonly string[]) =>
    listOf(list).some((one) => one === '*' || wanted.includes(String(one)));
  const sub = resource.includes('/') ? [`*/${resource.slice(resource.indexOf('/') + 1)}`] : [];
  return rules.some(
    (rule) =>
      has(rule.verbs, verb) &&
      has(rule.apiGroups, group) &&
      has(rule.resources, resource, ...sub) &&
      (listOf(rule.resourceNames).length === 0 ||
        (name !== undefined && listOf(rule.resourceNames).includes(name))),
  );
}

export interface AccessReview {
  readonly missing: readonly MissingAccess[];
  /** Why some rights could not be reviewed; undefined when all were. */
  readonly unknown: string | undefined;
}

/**
 * Asks the API server what the token may do: one SelfSubjectRulesReview a namespace, then a SelfSubjectAccessReview for each right
 * of the whole cluster and for each that the rules do not show where the server says that they are not all (webhook authorizers).
 */
export async function reviewAccess(cluster: Cluster, needs: readonly AccessNeed[]): Promise<AccessReview> {
  const unknown: string[] = [];
  const ask = async <T>(asking: Promise<T>): Promise<T | undefined> => {
    try {
      return await asking;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      unknown.push(error.message);
      return undefined;
    }
  };
  const namespaces = [...new Set(needs.flatMap(({ namespace }) => namespace ?? []))];
  const reviewed = await inParallel(namespaces, (namespace) => ask(rulesOf(cluster, namespace)));
  const rules = new Map(namespaces.map((namespace, index) => [namespace, reviewed[index]]));
  const open = needs.map((need) => {
    const granted = need.namespace === undefined ? undefined : rules.get(need.namespace);
    if (granted !== undefined && isGranted(granted.rules, need)) return 'granted';
    return granted === undefined || granted.incomplete ? 'open' : 'missing';
  });
  const asked = needs.filter((_, index) => open[index] === 'open');
  const answers = await inParallel(asked, (need) => ask(isAllowed(cluster, need)));
  const refused = new Set(asked.filter((_, index) => answers[index] === false));
  return {
    missing: merged(needs.filter((need, index) => open[index] === 'missing' || refused.has(need))),
    unknown: unknown[0],
  };
}

async function rulesOf(cluster: Cluster, namespace: string): Promise<GrantedRules> {
  const { status } = await cluster.request<{
    status: { resourceRules?: readonly Rule[]; incomplete?: boolean };
  }>('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace },
  });
  return { rules: status.resourceRules ?? [], incomplete: status.incomplete === true };
}

async function isAllowed(
  cluster: Cluster,
  { verb, group, resource, namespace, name }: AccessNeed,
): Promise<boolean> {
  const [plural, subresource] = resource.split('/');
  const { status } = await cluster.request<{ status: { allowed: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb, group, resource: plural, subresource, namespace, name } },
    },
  );
  return status.allowed;
}

/** One line for a right that several objects miss. */
function merged(needs: readonly AccessNeed[]): MissingAccess[] {
  const lines = needs.map(({ verb, group, resource, namespace, need, loses }) => ({
    verb,
    resource: nameResource(group, resource),
    namespace,
    need,
    loses,
  }));
  const groups = Map.groupBy(lines, ({ verb, resource, namespace }) =>
    JSON.stringify([verb, resource, namespace]),
  );
  return [...groups.values()].map((same) => same.find(({ need }) => need === 'required') ?? same[0]!);
}

/** `deployments.apps`, `deployments.apps/scale`, `pods/log`, as kubectl names resources. */
function nameResource(group: string, resource: string): string {
  if (group === '') return resource;
  const [plural, ...sub] = resource.split('/');
  return [`${plural}.${group}`, ...sub].join('/');
}
