import type { Location } from '../../host/index.ts';
import { Failure } from '../../host/index.ts';
import {
  type ApiError,
  type FieldPath,
  formatId,
  idOf,
  type Manifest,
  type ObjectId,
} from '../../kubernetes/index.ts';
import type { AppliedObject, Conflict } from './change.ts';
import { forceLine } from './force.ts';

/** An object that the API server did not take. */
export interface Refusal {
  readonly id: ObjectId;
  /** One sentence: what was refused, why, and what to do. */
  readonly message: string;
  readonly location: Location | undefined;
}

/**
 * Objects of a wave were refused. Nothing of a later wave was applied; what was is in `applied`, in order.
 */
export class ApplyFailure extends Failure {
  readonly applied: readonly AppliedObject[];
  readonly refusals: readonly Refusal[];
  /** Fields that others own and that `force-conflicts` does not name. */
  readonly conflicts: readonly Conflict[];

  constructor(
    refusals: readonly Refusal[],
    conflicts: readonly Conflict[],
    applied: readonly AppliedObject[],
  ) {
    const parts = [...new Set(refusals.map(({ message }) => message))];
    if (conflicts.length > 0) parts.push(conflictMessage(conflicts));
    super(parts.join('\n'), {
      location: [...refusals, ...conflicts].find(({ location }) => location !== undefined)?.location,
    });
    this.refusals = refusals;
    this.conflicts = conflicts;
    this.applied = applied;
  }
}

/** Names each field with its owner, and the lines of `force-conflicts` that take them. */
export function conflictMessage(conflicts: readonly Conflict[]): string {
  const owned = conflicts.map(
    ({ id, field, manager }) => `  ${formatId(id)} ${field} is owned by ${manager}`,
  );
  const lines = [...new Set(conflicts.map(forceLine))].map((line) => `  ${line}`);
  const helm = conflicts.some(({ manager }) => manager === 'helm')
    ? [
        'Objects of a Helm release are given back by the next helm upgrade: take them out of the chart as well.',
      ]
    : [];
  return [
    'Other field managers own fields that the manifests set to other values:',
    ...owned,
    'Take them with force-conflicts, or leave them out of the manifests:',
    ...lines,
    ...helm,
  ].join('\n');
}

/** Words for a refusal: the API server's causes in one sentence, with what must be done where that is known. */
export function refusalOf(manifest: Manifest, error: ApiError): Refusal {
  const id = idOf(manifest.object);
  const absent = /^namespaces "([^"]+)" not found$/.exec(error.message)?.[1];
  if (absent !== undefined)
    return {
      id,
      // The same for every object in it: it is told once.
      message: `Namespace ${absent} does not exist; create it (kubectl create namespace ${absent}), or put it among the manifests.`,
      location: manifest.locate(['metadata', 'name']),
    };
  const causes = error.causes
    .filter(({ message, field }) => message !== undefined || field !== undefined)
    .map((cause) => causeText(id.kind, cause));
  const said =
    causes.length > 0 ? [...new Set(causes)].join('; ') : shorten(id.kind === 'Secret', error.message);
  const advice = isImmutable(error) ? immutableAdvice(id, error) : adviceOn(error);
  return {
    id,
    message: `${formatId(id)} was refused: ${said.replace(/[.\s]*$/, '.')}${advice}`,
    location: manifest.locate(pathOf(error.causes[0]?.field ?? fieldIn(error.message))),
  };
}

function causeText(kind: string, { field, message = '' }: ApiError['causes'][number]): string {
  // A variable may hold a password, one of digits alone too, whose quotes were forgotten.
  const secret = kind === 'Secret' || /\benv\[[^\]]*\]\.value$/.test(field ?? '');
  const text = shorten(secret, message);
  return field === undefined || field === '<nil>' || text.startsWith(`${field}:`)
    ? text
    : `${field}: ${text}`;
}

/**
 * The API server prints the refused value, whole objects too, and with them what is secret. Of a long value, and of any that is secret,
 * only the rule that was broken is left.
 */
function shorten(secret: boolean, message: string): string {
  const [line, ...more] = message
    .replaceAll(/&value\.valueUnstructured\{Value:(.*?)\}/g, secret ? 'another' : '$1')
    .split('\n');
  // What follows a line is a list of problems, or a comparison of whole objects.
  const text = more.some((one) => one.includes('{')) ? line! : [line, ...more].join('\n');
  const value = /(Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|[^\s"{}]{1,80})(?=: [a-z]|$)/.exec(
    text,
  );
  if (value !== null && !secret && value[0].length <= 100) return text;
  return text.replace(/((?:Invalid|Unsupported|Duplicate) value: )(?:"(?:[^"\\]|\\.)*": |.*: )?/s, '$1');
}

/** Whether only another object could be what the manifest says. */
export const isImmutable = (error: ApiError): boolean =>
  error.status === 422 &&
  [error.message, ...error.causes.map(({ message = '' }) => message)].some((text) =>
    /immutable|may not change once set|updates to \S+ spec for fields other than|cannot change roleRef|may not be changed/i.test(
      text,
    ),
  );

const REPLACE = 'slipway.dev/replace: "true"';

function immutableAdvice({ kind, name }: ObjectId, error: ApiError): string {
  const field = error.causes[0]?.field ?? 'this field';
  switch (kind) {
    case 'Job':
      return ` A Job's template cannot change: give the Job another name (a hash or a version in it), or annotate it with ${REPLACE} to have it deleted and made anew.`;
    case 'StatefulSet':
      return ` Only replicas, template, updateStrategy, ordinals, minReadySeconds and persistentVolumeClaimRetentionPolicy of a StatefulSet can change: delete it with kubectl delete statefulset ${name} --cascade=orphan, which keeps its pods and volumes, and run again.`;
    case 'Deployment':
    case 'DaemonSet':
    case 'ReplicaSet':
      return ` The selector of a ${kind} cannot change: keep the old labels in it, give the ${kind} another name, or annotate it with ${REPLACE} to have it and its pods deleted and made anew, which takes the service down meanwhile.`;
    case 'Service':
      return ` The address of a Service cannot change: leave ${field} out of the manifest, or annotate it with ${REPLACE} to have it deleted and made anew.`;
    case 'ConfigMap':
    case 'Secret':
      return ` It was marked immutable: give it another name (configuration: name does so), or annotate it with ${REPLACE}.`;
    case 'PersistentVolumeClaim':
      return ' Only the requested size of a claim can grow: make a new claim and copy what it holds.';
    default:
      return ` It cannot change: give the ${kind} another name, or annotate it with ${REPLACE} to have it deleted and made anew.`;
  }
}

function adviceOn(error: ApiError): string {
  if (error.status === 403 && error.reason === 'Forbidden' && /exceeded quota/.test(error.message)) {
    return ' Raise the quota of the namespace or ask for less.';
  }
  return '';
}

/** The first field that a message names at the start of a clause: `….spec.replica: field not declared in schema`. */
const fieldIn = (message: string): string | undefined =>
  /(?:^|[\s(])(\.[a-zA-Z][^\s:]*): /.exec(message)?.[1];

/** The path of a field that the API server names in a cause: `spec.template.spec.containers[0].image`. */
function pathOf(field: string | undefined): FieldPath {
  if (field === undefined || field === '<nil>') return [];
  return [...field.matchAll(/\.?([^.[\]]+)|\[([^\]]*)\]/g)].map(([, name, key]) => {
    if (name !== undefined) return name;
    return /^\d+$/.test(key!) ? Number(key) : key!.replaceAll('"', '');
  });
}
