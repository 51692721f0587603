import type { Location } from '../../host/index.ts';
import type { FieldPath, KubeObject, Manifest, ObjectId, ServerVersion } from '../../kubernetes/index.ts';
import type { Level, Rule } from './finding.ts';
import type { Workload } from './workload.ts';

/** Something that a rule found. */
export interface Problem {
  /** What it is about; undefined together with `object` for a live object. */
  readonly manifest?: Manifest | undefined;
  /** In place of the manifest's object. */
  readonly object?: ObjectId | undefined;
  /** The field in the manifest. */
  readonly path?: FieldPath | undefined;
  /** In place of the field's. */
  readonly location?: Location | undefined;
  readonly message: string;
  readonly fix?: string | undefined;
  /** A weaker matter than the rule's others: shown no higher than this, whatever the rule's level is. */
  readonly atMost?: Exclude<Level, 'off'> | undefined;
}

/** A rule as the tables in the documentation show it, and how it looks. */
export interface RuleDefinition {
  readonly name: Rule;
  /** The level when nobody says otherwise. */
  readonly level: Exclude<Level, 'off'>;
  /** What it finds. */
  readonly finds: string;
  /** What comes of it. */
  readonly why: string;
  /** How it is mended. */
  readonly fix: string;
  readonly find: (scene: Scene) => Iterable<Problem>;
}

/** Objects of a kind in a namespace, or why they could not be read. */
export type Seen =
  | { readonly kind: 'seen'; readonly objects: readonly KubeObject[] }
  | { readonly kind: 'unknown'; readonly because: string };

/** The kinds that rules ask the cluster for. */
export const ASKED = {
  HorizontalPodAutoscaler: 'autoscaling/v2',
  PodDisruptionBudget: 'policy/v1',
  Service: 'v1',
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  ResourceQuota: 'v1',
  LimitRange: 'v1',
} as const;
export type AskedKind = keyof typeof ASKED;

/** What is known of the cluster when manifests are judged. */
export interface LiveFacts {
  readonly version: ServerVersion | undefined;
  /** Kinds that the API serves, as `apps/v1/Deployment`; undefined where discovery failed. */
  readonly served: ReadonlySet<string> | undefined;
  readonly seen: (kind: AskedKind, namespace: string | undefined) => Seen;
  /** Pods that a Service selects which no workload accounts for: of operators, or made by hand. */
  readonly podsOf?: (service: ObjectId) => number | undefined;
  /** The live form of an object, where it is known. */
  readonly live: (id: ObjectId) => KubeObject | undefined;
  /** Objects that this run would delete because the manifests no longer have them. */
  readonly pruned: readonly ObjectId[];
}

/** All that rules look at. */
export interface Scene {
  readonly manifests: readonly Manifest[];
  readonly workloads: readonly DeclaredWorkload[];
  /** undefined: no cluster is looked at. */
  readonly facts: LiveFacts | undefined;
}

export interface DeclaredWorkload extends Workload {
  readonly manifest: Manifest;
}
