import type { KubeObject, ObjectId } from '../../kubernetes/index.ts';
import type { QosClass } from '../preflight/finding.ts';
import { qosOf } from '../preflight/qos.ts';
import { type PlacedContainer, type Workload, workloadOf } from '../preflight/workload.ts';

type Amounts = Readonly<Record<string, string>>;

/** What a container is promised and held to, in the words of its manifest. */
export interface ContainerResources {
  readonly name: string;
  readonly role: PlacedContainer['role'] | 'pod';
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/** The resource picture of a workload's pods. */
export interface WorkloadResources {
  readonly id: ObjectId;
  readonly qos: QosClass;
  /** The pod as a whole first where it has resources of its own, then the containers in the order in which they start. */
  readonly containers: readonly ContainerResources[];
}

/** Requests, limits and QoS class of every workload among the objects. */
export const resourcesOf = (objects: readonly KubeObject[]): readonly WorkloadResources[] =>
  objects.flatMap((object) => {
    const workload = workloadOf(object);
    return workload === undefined ? [] : [pictureOf(workload)];
  });

function pictureOf({ id, spec, containers }: Workload): WorkloadResources {
  const pod: ContainerResources[] =
    spec.resources === undefined
      ? []
      : [
          {
            name: '',
            role: 'pod',
            requests: amounts(spec.resources.requests),
            limits: amounts(spec.resources.limits),
          },
        ];
  return {
    id,
    qos: qosOf(spec),
    containers: [
      ...pod,
      ...containers.map(({ container: { name, resources }, role }) => ({
        name,
        role,
        // The API server fills requests in from limits.
        requests: { ...amounts(resources?.limits), ...amounts(resources?.requests) },
        limits: amounts(resources?.limits),
      })),
    ],
  };
}

const amounts = (given: Readonly<Record<string, unknown>> | undefined): Amounts =>
  Object.fromEntries(Object.entries(given ?? {}).map(([resource, amount]) => [resource, String(amount)]));
