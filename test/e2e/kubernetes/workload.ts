/** What a test changes of the workload that most of them roll. */
export interface WorkloadOptions {
  readonly image: string;
  readonly replicas?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Name of the secret that its registry is asked with. */
  readonly pullSecret?: string;
  /** Where its pods go, such as the `placement` of fake nodes. */
  readonly placement?: object;
}

/** A Deployment `web` of the pods' program, with probes that are quick and an emptyDir at /scratch. */
export function deployment({
  image,
  replicas = 1,
  env = {},
  pullSecret,
  placement,
}: WorkloadOptions): object {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(pullSecret !== undefined && { imagePullSecrets: [{ name: pullSecret }] }),
          ...placement,
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: 'web',
              image,
              env: Object.entries(env).map(([name, value]) => ({ name, value })),
              ports: [{ containerPort: 8080 }],
              readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 1 },
              resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
              volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
            },
          ],
          volumes: [{ name: 'scratch', emptyDir: {} }],
        },
      },
    },
  };
}

export function service(): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}
