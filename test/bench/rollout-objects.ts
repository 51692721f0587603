import type { KubeObject } from '../../shared/kubernetes/index.ts';

/** Four kinds that run pods, and sixteen that do not: 500 objects in all. */
export const KINDS = 20;

const WORKLOADS = 10;
/** For each of the sixteen others, in turn: 12 × 29 + 4 × 28 = 460. */
const others = (index: number) => (index < 12 ? 29 : 28);

/** The objects of a release for one namespace. Every workload runs `image` once, which shows its version in an annotation. */
export function benchObjects(namespace: string, image: string): readonly KubeObject[] {
  const make = (
    apiVersion: string,
    kind: string,
    count: number,
    fields: (name: string, index: number) => object,
  ) =>
    Array.from({ length: count }, (_, index): KubeObject => {
      const name = `${kind.toLowerCase()}-${index}`;
      const metadata = { name, namespace, labels: { app: name, 'app.kubernetes.io/part-of': 'bench' } };
      return { apiVersion, kind, metadata, ...fields(name, index) };
    });
  const template = (name: string, restart?: string) => ({
    metadata: { labels: { app: name } },
    spec: {
      ...(restart !== undefined && { restartPolicy: restart }),
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'app',
          image,
          ...(restart !== undefined && { args: ['exit', '0'] }),
          resources: { requests: { cpu: '5m', memory: '8Mi' }, limits: { memory: '64Mi' } },
          ...(restart === undefined && {
            readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 1 },
          }),
        },
      ],
    },
  });
  const selector = (name: string) => ({ matchLabels: { app: name } });
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }];
  // biome-ignore format: a line for a kind
  const plain: readonly (readonly [string, string, (name: string, index: number) => object])[] = [
    ['v1', 'ConfigMap', (name) => ({ data: { 'app.yaml': `name: ${name}\n${'# a comment\n'.repeat(20)}` } })],
    ['v1', 'Secret', (name) => ({ data: { token: Buffer.from(name.repeat(4)).toString('base64') } })],
    ['v1', 'ServiceAccount', () => ({ automountServiceAccountToken: false })],
    ['v1', 'Service', (_, index) => ({ spec: { selector: { app: `deployment-${index % 10}` }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] } })],
    ['v1', 'PersistentVolumeClaim', () => ({ spec: { storageClassName: 'none', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } })],
    ['v1', 'PodTemplate', (name) => ({ template: template(name) })],
    ['v1', 'LimitRange', () => ({ spec: { limits: [{ type: 'Container', max: { memory: '64Gi' } }] } })],
    ['rbac.authorization.k8s.io/v1', 'Role', () => ({ rules })],
    ['rbac.authorization.k8s.io/v1', 'RoleBinding', (_, index) => ({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: `role-${Math.min(index, 27)}` },
      subjects: [{ kind: 'ServiceAccount', name: `serviceaccount-${index}`, namespace }],
    })],
    ['batch/v1', 'CronJob', (name) => ({ spec: { schedule: '0 4 * * *', suspend: true, jobTemplate: { spec: { template: template(name, 'Never') } } } })],
    ['autoscaling/v2', 'HorizontalPodAutoscaler', (name) => ({ spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `absent-${name}` }, minReplicas: 1, maxReplicas: 2 } })],
    ['policy/v1', 'PodDisruptionBudget', (name) => ({ spec: { maxUnavailable: 1, selector: selector(name) } })],
    ['networking.k8s.io/v1', 'NetworkPolicy', (name) => ({ spec: { podSelector: selector(name), policyTypes: ['Ingress'], ingress: [{}] } })],
    ['networking.k8s.io/v1', 'Ingress', (name, index) => ({
      spec: { rules: [{ host: `${name}.example`, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: `service-${index}`, port: { number: 80 } } } }] } }] },
    })],
    ['coordination.k8s.io/v1', 'Lease', (name) => ({ spec: { holderIdentity: name, leaseDurationSeconds: 30 } })],
    ['discovery.k8s.io/v1', 'EndpointSlice', () => ({ addressType: 'IPv4', endpoints: [], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] })],
  ];
  return [
    ...plain.flatMap(([apiVersion, kind, fields], index) => make(apiVersion, kind, others(index), fields)),
    ...make('apps/v1', 'Deployment', WORKLOADS, (name) => ({
      spec: {
        replicas: 1,
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        selector: selector(name),
        template: template(name),
      },
    })),
    ...make('apps/v1', 'StatefulSet', WORKLOADS, (name) => ({
      spec: { replicas: 1, serviceName: name, selector: selector(name), template: template(name) },
    })),
    ...make('apps/v1', 'DaemonSet', WORKLOADS, (name) => ({
      spec: { selector: selector(name), template: template(name) },
    })),
    // A job is done once: its image stays what it was when the others roll, as a job of a release has a new name.
    ...make('batch/v1', 'Job', WORKLOADS, (name) => ({
      spec: { template: template(name, 'Never'), backoffLimit: 0 },
    })),
  ];
}

/** The same objects with another image for all that keeps running. */
export const rolled = (objects: readonly KubeObject[], from: string, to: string): readonly KubeObject[] =>
  objects.map((object) =>
    ['Deployment', 'StatefulSet', 'DaemonSet'].includes(object.kind)
      ? (JSON.parse(JSON.stringify(object).replaceAll(from, to)) as KubeObject)
      : object,
  );
