import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, readManifests } from '../../../../shared/kubernetes/index.ts';
import {
  type LiveFacts,
  lintManifests,
  parseRuleLevels,
  preflightRules,
  RULES,
  type Rule,
} from '../../../../shared/rollout/index.ts';

const read = (text: string) =>
  readManifests(['-'], {
    workspace: tmpdir(),
    stdin: async () => text,
    env: {},
    signal: new AbortController().signal,
  });

/** A cluster of one version that has these objects; `unknown` says why lists are refused. */
function cluster(
  minor: number,
  objects: readonly object[] = [],
  unknown?: string,
  more: Partial<LiveFacts> = {},
): LiveFacts {
  const all = objects as readonly KubeObject[];
  const live = new Map(all.map((one) => [keyOf({ ...one, ...one.metadata }), one]));
  return {
    version: { major: 1, minor, release: `1.${minor}.0`, text: `v1.${minor}.0` },
    served: undefined,
    seen: (kind, namespace) =>
      unknown === undefined
        ? {
            kind: 'seen',
            objects: all.filter((one) => one.kind === kind && one.metadata.namespace === namespace),
          }
        : { kind: 'unknown', because: unknown },
    live: (id) => live.get(keyOf(id)),
    pruned: [],
    ...more,
  };
}

const find = async (rule: Rule, text: string, facts?: LiveFacts) =>
  lintManifests(await read(text), {}, facts).filter((one) => one.rule === rule);

/** `level line`, for each finding of a rule. */
const brief = async (rule: Rule, text: string, facts?: LiveFacts) =>
  (await find(rule, text, facts)).map(({ level, location }) => `${level} ${location?.line}`);

/** A Deployment whose parts are replaced by lines of YAML; its lines: replicas 6, strategy 7, template 10, container 15. */
const deployment = ({
  replicas = 'replicas: 4',
  strategy = '',
  pod = '',
  container = '',
  labels = 'app: web',
} = {}) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  ${replicas}
  strategy: {${strategy}}
  selector:
    matchLabels: { app: web }
  template:
    metadata:
      labels: { ${labels} }
    spec:
      ${pod}
      containers:
        - name: app
          image: example.com/web:1
          ${container}
`;
const and = (...parts: readonly string[]) => parts.join('---\n');
const service = (selector = 'app: web', spec = 'ports: [{ port: 80, targetPort: 8080 }]') => `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  selector: { ${selector} }
  ${spec}
`;
const budget = (spec: string) => `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  ${spec}
`;
const autoscaler = (metrics = '[]') => `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web, namespace: shop }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  minReplicas: 2
  maxReplicas: 8
  metrics: ${metrics}
`;
const utilization =
  '[{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 70 } } }]';
const configMap = (data: string) => `apiVersion: v1
kind: ConfigMap
metadata: { name: web, namespace: shop }
data:
  ${data}
`;
const secret = (data: string) => configMap(data).replace('ConfigMap', 'Secret');
const guaranteed =
  'resources: { requests: { cpu: 100m, memory: 64Mi }, limits: { cpu: 100m, memory: 64Mi } }';

describe('capacity-drop', () => {
  it.each([
    [
      '4',
      '',
      ['warning 8'],
      '1 of 4 pods of Deployment shop/web may be missing: 75 % capacity during the roll (maxUnavailable is 25 % where it is not set).',
    ],
    ['3', '', [], ''],
    ['1', '', [], ''],
    ['0', 'rollingUpdate: { maxUnavailable: 1 }', [], ''],
    ['4', 'rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }', [], ''],
    [
      '7',
      'rollingUpdate: { maxUnavailable: 30% }',
      ['warning 8'],
      '2 of 7 pods of Deployment shop/web may be missing: 71 % capacity during the roll (maxUnavailable is 30%).',
    ],
    [
      '2',
      'rollingUpdate: { maxSurge: 0, maxUnavailable: 10% }',
      ['warning 8'],
      '1 of 2 pods of Deployment shop/web may be missing: 50 % capacity during the roll (maxUnavailable is 10%).',
    ],
    [
      '2',
      'type: Recreate',
      ['warning 8'],
      'Recreate stops all 2 pods of Deployment shop/web before the first new one starts: 0 % capacity during the roll.',
    ],
  ])('of %s pods with {%s}: %j', async (replicas, strategy, expected, message) => {
    const text = deployment({ replicas: `replicas: ${replicas}`, strategy });
    expect(await brief('capacity-drop', text)).toEqual(expected);
    expect((await find('capacity-drop', text))[0]?.message ?? '').toBe(message);
  });

  it('judges the counts between which an autoscaler moves', async () => {
    const [found] = await find('capacity-drop', and(deployment({ replicas: '' }), autoscaler()));
    expect(found?.message).toContain('2 of 8 pods');
  });

  it('counts the pods that are there where the manifest says nothing', async () => {
    const live = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { replicas: 5 },
    };
    const [found] = await find('capacity-drop', deployment({ replicas: '' }), cluster(34, [live]));
    expect(found?.message).toContain('1 of 5 pods');
  });

  const other = (kind: string, spec: string) =>
    deployment({ replicas: spec })
      .replace('kind: Deployment', `kind: ${kind}`)
      .replace('  strategy: {}\n', '');
  it.each([
    ['StatefulSet', 'replicas: 3', []],
    ['StatefulSet', 'replicas: 1', ['notice 7']],
    [
      'StatefulSet',
      '{ replicas: 4, updateStrategy: { rollingUpdate: { maxUnavailable: 50% } } }',
      ['warning 7'],
    ],
    ['StatefulSet', '{ replicas: 3, updateStrategy: { rollingUpdate: { maxUnavailable: 50% } } }', []],
    ['StatefulSet', 'updateStrategy: { type: OnDelete }', ['warning 7']],
    ['DaemonSet', 'updateStrategy: { rollingUpdate: { maxUnavailable: 30% } }', ['warning 7']],
    ['DaemonSet', 'updateStrategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }', []],
    ['DaemonSet', 'minReadySeconds: 1', ['notice 6']],
  ])('of a %s with %s: %j', async (kind, spec, expected) => {
    const text = other(kind, spec.startsWith('{') ? spec.slice(2, -2).replace(', ', '\n  ') : spec);
    expect((await brief('capacity-drop', text)).map((one) => one.split(' ')[0])).toEqual(
      expected.map((one) => one.split(' ')[0]),
    );
  });
});

describe('selectors', () => {
  it('finds a template without the labels that are selected, on the line of the label', async () => {
    const [found] = await find('selector-template', deployment({ labels: 'app: wbe' }));
    expect(found).toMatchObject({ level: 'error', location: { line: 10 } });
    expect(found?.message).toBe(
      'Deployment shop/web selects app=web, but its template carries app=wbe: the API server refuses it.',
    );
    expect(await brief('selector-template', deployment())).toEqual([]);
  });

  it('finds a selector that differs from the one in the cluster', async () => {
    const live = (app: string) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { selector: { matchLabels: { app } } },
    });
    expect(await brief('selector-template', deployment(), cluster(34, [live('old')]))).toEqual(['error 9']);
    expect(await brief('selector-template', deployment(), cluster(34, [live('web')]))).toEqual([]);
  });

  it.each([
    ['{ matchExpressions: [{ key: app, operator: In, values: [web, api] }] }', 0],
    ['{ matchExpressions: [{ key: app, operator: NotIn, values: [web] }] }', 1],
    ['{ matchExpressions: [{ key: tier, operator: Exists }] }', 1],
    ['{ matchExpressions: [{ key: tier, operator: DoesNotExist }] }', 0],
    ['{}', 1],
  ])('judges the selector %s', async (selector, count) => {
    const text = deployment().replace('selector:\n    matchLabels: { app: web }', `selector: ${selector}`);
    expect(await find('selector-template', text)).toHaveLength(count);
  });

  it('finds a Service that selects nothing, with the nearest workload', async () => {
    const text = and(service('app: wbe'), deployment());
    const [found] = await find('selector-service', text, cluster(34));
    expect(found).toMatchObject({ level: 'warning', location: { line: 5 } });
    expect(found?.message).toBe(
      'Service shop/web selects app=wbe, which matches no workload of the manifests or the namespace. The nearest is Deployment shop/web, whose pods carry app=web.',
    );
    expect(await brief('selector-service', text)).toEqual(['warning 5']);
    expect(await brief('selector-service', text, cluster(34, [], 'the token may not list'))).toEqual([
      'warning 5',
    ]);
    expect(await brief('selector-service', text, cluster(34, [], undefined, { podsOf: () => 2 }))).toEqual(
      [],
    );
    expect(await brief('selector-service', and(service(), deployment()), cluster(34))).toEqual([]);
    expect(await brief('selector-service', service('', 'type: ExternalName'), cluster(34))).toEqual([]);
    // Another run may bring the workload.
    expect(await brief('selector-service', service(), cluster(34))).toEqual(['warning 5']);
  });

  it('finds a Service of several workloads, of the cluster too', async () => {
    const live = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'old', namespace: 'shop' },
      spec: { template: { metadata: { labels: { app: 'web' } }, spec: {} } },
    };
    const [found] = await find('selector-service', and(service(), deployment()), cluster(34, [live]));
    expect(found).toMatchObject({ level: 'warning' });
    expect(found?.message).toContain('2 workloads (Deployment web, Deployment old)');
  });

  it('finds a port whose name the pods do not have', async () => {
    const named = service('app: web', 'ports: [{ port: 80, targetPort: http }]');
    const pod = (name: string) => deployment({ container: `ports: [{ name: ${name}, containerPort: 80 }]` });
    expect(await brief('selector-service', and(named, pod('web')), cluster(34))).toEqual(['error 6']);
    expect(await brief('selector-service', and(named, pod('http')), cluster(34))).toEqual([]);
    const second = service(
      'app: web',
      'ports: [{ name: a, port: 80, targetPort: http }, { name: b, port: 81, targetPort: 8080 }]',
    );
    expect(await brief('selector-service', and(second, pod('web')), cluster(34))).toEqual(['warning 6']);
  });
});

describe('resources', () => {
  it.each([
    ['', ['warning 17']],
    ['resources: { requests: { cpu: 1, memory: 1Gi } }', ['warning 19']],
    ['resources: { limits: { cpu: 1, memory: 1Gi } }', []],
    ['resources: { requests: { cpu: 1, memory: 1Gi }, limits: { memory: 1Gi } }', []],
  ])('of a container with %s: %j', async (container, expected) => {
    expect(await brief('resources', deployment({ container }))).toEqual(expected);
  });

  it('takes resources of the pod where the server does', async () => {
    const text = deployment({
      pod: 'resources: { requests: { cpu: 1, memory: 1Gi }, limits: { memory: 1Gi } }',
    });
    expect(await brief('resources', text, cluster(34))).toEqual([]);
    expect(await brief('resources', text, cluster(33))).toEqual(['warning 17', 'warning 15']);
  });

  it('takes what a LimitRange gives', async () => {
    const range = {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'range', namespace: 'shop' },
      spec: { limits: [{ type: 'Container', default: { cpu: '1', memory: '1Gi' } }] },
    };
    expect(await brief('resources', deployment(), cluster(34, [range]))).toEqual([]);
    expect(await brief('qos', deployment(), cluster(34, [range]))).toEqual([]);
    expect(await brief('qos', deployment(), cluster(34))).toEqual(['warning 14']);
  });

  it('names the class of pods that are not Guaranteed', async () => {
    expect((await find('qos', deployment()))[0]?.message).toContain('are BestEffort');
    expect(await brief('qos', deployment({ container: guaranteed }))).toEqual([]);
    const burstable = deployment({ container: 'resources: { requests: { cpu: 1 } }' });
    expect(await brief('qos', burstable)).toEqual(['notice 14']);
    expect((await find('qos', burstable))[0]?.message).toContain('are Burstable');
  });
});

describe('probes and drain', () => {
  const ready = 'readinessProbe: { httpGet: { path: /readyz, port: 80 } }';
  it('asks for readiness, more so behind a Service', async () => {
    expect(await brief('probes', deployment())).toEqual(['notice 17']);
    expect(await brief('probes', and(deployment(), service()))).toEqual(['warning 17']);
    expect(await brief('probes', and(deployment({ container: ready }), service()))).toEqual([]);
    const job = deployment().replace('apps/v1', 'batch/v1').replace('kind: Deployment', 'kind: Job');
    expect(await brief('probes', job)).toEqual([]);
  });

  it('finds liveness that asks the same', async () => {
    const same = `${ready}\n          livenessProbe: { httpGet: { path: /readyz, port: 80 }, periodSeconds: 9 }`;
    expect(await brief('probes', deployment({ container: same }))).toEqual(['notice 20']);
    expect(
      await brief(
        'probes',
        deployment({ container: same.replace('/readyz, port: 80 }, p', '/livez, port: 80 }, p') }),
      ),
    ).toEqual([]);
  });

  const drained = (lines: string, pod = '') => and(deployment({ container: lines, pod }), service());
  it.each([
    ['', '', ['warning 17']],
    ['lifecycle: { preStop: { sleep: { seconds: 3 } } }', '', []],
    ['lifecycle: { preStop: { exec: { command: [sleep, "3"] } } }', '', []],
    ['lifecycle: { preStop: { sleep: { seconds: 30 } } }', '', ['warning 14']],
    [
      'lifecycle: { preStop: { exec: { command: [sh, -c, "sleep 20 && stop"] } } }',
      'terminationGracePeriodSeconds: 10',
      ['warning 15'],
    ],
    [
      'lifecycle: { preStop: { exec: { command: [sh, -c, "sleep 20 && stop"] } } }',
      'terminationGracePeriodSeconds: 40',
      [],
    ],
  ])('of pods behind a Service with %s %s: %j', async (container, pod, expected) => {
    expect(await brief('drain', drained(container, pod))).toEqual(expected);
  });

  it('takes a stated graceful stop, and asks nothing of pods that no Service selects', async () => {
    const stated = (value: string) =>
      drained('').replace(
        'labels: { app: web }\n',
        `labels: { app: web }\n      annotations: { slipway.dev/graceful-stop: ${value} }\n`,
      );
    expect(await brief('drain', stated('5s'))).toEqual([]);
    expect((await find('drain', stated('soon')))[0]?.message).toContain('is "soon", which is no duration');
    expect(await brief('drain', stated('2m'))).toEqual(['warning 15']);
    expect(await brief('drain', deployment())).toEqual([]);
  });

  it('offers what the server knows', async () => {
    const fix = async (minor: number) => (await find('drain', drained(''), cluster(minor)))[0]?.fix;
    expect(await fix(30)).toContain('sleep: { seconds: 3 }');
    expect(await fix(29)).toContain('command: [sleep, "3"]');
    const [old] = await find(
      'drain',
      drained('lifecycle: { preStop: { sleep: { seconds: 3 } } }'),
      cluster(29),
    );
    expect(old?.message).toContain('needs Kubernetes 1.30; this server is 1.29.0');
  });

  it('says that it cannot tell where Services may not be listed', async () => {
    const [found] = await find(
      'drain',
      deployment(),
      cluster(34, [], 'the token may not list Services in shop'),
    );
    expect(found).toMatchObject({ level: 'notice' });
    expect(found?.message).toBe(
      'Whether a Service of the cluster sends requests to these pods is unknown: the token may not list Services in shop.',
    );
  });
});

describe('budgets and autoscalers', () => {
  it.each([
    ['minAvailable: 1', 1, ['warning 6']],
    ['minAvailable: 1', 2, []],
    ['minAvailable: 100%', 3, ['warning 6']],
    ['minAvailable: 67%', 3, ['warning 6']],
    ['minAvailable: 66%', 3, []],
    ['maxUnavailable: 0', 5, ['warning 6']],
    ['maxUnavailable: 1%', 5, []],
    ['minAvailable: 1', 0, []],
  ])('%s of %i pods: %j', async (spec, replicas, expected) => {
    const text = and(budget(spec), deployment({ replicas: `replicas: ${replicas}` }));
    expect(await brief('disruption-budget', text)).toEqual(expected);
  });

  it('says that replicas stand beside an autoscaler, and quotes both', async () => {
    const [found] = await find('autoscaler-replicas', and(deployment(), autoscaler()));
    expect(found).toMatchObject({ level: 'notice', location: { line: 7 } });
    expect(found?.message).toContain('between 2 and 8');
    expect(await brief('autoscaler-replicas', and(deployment({ replicas: '' }), autoscaler()))).toEqual([]);
    const other = autoscaler().replace('kind: Deployment', 'kind: StatefulSet');
    expect(await brief('autoscaler-replicas', and(deployment(), other))).toEqual([]);
  });

  it('finds a metric that has no request', async () => {
    expect(await brief('autoscaler-request', and(deployment(), autoscaler(utilization)))).toEqual([
      'warning 17',
    ]);
    const with_ = deployment({ container: guaranteed });
    expect(await brief('autoscaler-request', and(with_, autoscaler(utilization)))).toEqual([]);
    const podLevel = (requests: string) =>
      and(deployment({ pod: `resources: { requests: { ${requests} } }` }), autoscaler(utilization));
    expect(await brief('autoscaler-request', podLevel('cpu: 1'))).toEqual([]);
    expect(await brief('autoscaler-request', podLevel('memory: 1Gi'))).toEqual(['warning 15']);
    expect(await brief('autoscaler-request', podLevel('cpu: 1'), cluster(33))).toEqual(['warning 17']);
    const value = utilization.replace('Utilization', 'AverageValue');
    expect(await brief('autoscaler-request', and(deployment(), autoscaler(value)))).toEqual([]);
  });
});

describe('node-port', () => {
  it.each([
    ['shop', ['warning 6']],
    ['test', []],
    ['shop-dev', []],
    ['pr-12-e2e', []],
    ['contest', ['warning 6']],
    ['latest', ['warning 6']],
  ])('in %s: %j', async (namespace, expected) => {
    const text = service('app: web', 'type: NodePort').replace('namespace: shop', `namespace: ${namespace}`);
    expect(await brief('node-port', text)).toEqual(expected);
  });
});

describe('plain-secret', () => {
  const key = '-----BEGIN RSA PRIVATE KEY-----';
  const random = 'Zq8Xv2LmN4tYb7KcR1sPd9WfHg3JuEa6';
  const env = (name: string, value: string) =>
    deployment({ container: `env: [{ name: ${name}, value: ${JSON.stringify(value)} }]` });
  it.each([
    ['DB_PASSWORD', 'hunter2secret'],
    ['dbPassword', 'hunter2secret'],
    ['API_KEY', 'abcd-efgh'],
    ['DATABASE_URL', 'postgres://shop:hunter2@db:5432/shop'],
    ['DSN', 'shop:hunter2@tcp(db:3306)/shop'],
    ['CONNECTION', 'Server=db;Password=hunter2;Database=shop'],
    ['ANYTHING', `ghp_${'a1B2'.repeat(9)}`],
    ['ANYTHING', 'AKIAIOSFODNN7EXAMPLE'],
    ['CERT', `${key}\nabc`],
    ['SALT', random],
  ])('finds %s', async (name, value) => {
    const [found, ...more] = await find('plain-secret', env(name, value));
    expect(found).toMatchObject({ level: 'warning', location: { line: 19 } });
    expect(more).toEqual([]);
    expect(JSON.stringify(found)).not.toContain(value.slice(0, 12));
  });

  it.each([
    ['PASSWORD_FILE', '/run/secrets/password'],
    ['DB_PASSWORD', '$(OTHER)'],
    ['DB_PASSWORD', ''],
    ['TOKEN_URL', 'https://login.example.com/token'],
    ['TOKEN_TTL', '3600'],
    ['API_KEY', '<your key here>'],
    ['PASSWORD_POLICY', 'strict'],
    ['SECRET_NAME', 'storefront'],
    ['DATABASE_URL', 'postgres://shop@db:5432/shop'],
    ['DATABASE_URL', 'postgres://shop:$(PASSWORD)@db/shop'],
    ['IMAGE', `example.com/app@sha256:${'a1'.repeat(32)}`],
    ['COMMIT', '0947ddd979e6c6c2bcd45900e9b8ae7cdc2d1f36'],
    ['ID', '6f1c2d3e-4b5a-6789-abcd-ef0123456789'],
    ['FEATURE', 'EnableTheVeryLongNamedFeatureOfTheShop2'],
    ['KEYBOARD', 'qwerty'],
  ])('leaves %s=%s alone', async (name, value) => {
    expect(await brief('plain-secret', env(name, value))).toEqual([]);
  });

  it('reads files in ConfigMaps line by line', async () => {
    const file = configMap(
      'app.yaml: |\n    listen: 8080\n    database:\n      password: hunter2secret\n    # token: abc',
    );
    const [found] = await find('plain-secret', file);
    expect(found).toMatchObject({ location: { line: 5 } });
    expect(found?.message).toBe(
      'password in line 3 of app.yaml of ConfigMap shop/web holds a password or key, by its name, in the open.',
    );
    expect(
      await brief(
        'plain-secret',
        configMap('app.go: |\n    password := getPassword(user)\n    token: ${TOKEN}'),
      ),
    ).toEqual([]);
    expect(await brief('plain-secret', secret('password: aHVudGVyMg=='))).toEqual([]);
  });
});

describe('secret-base64', () => {
  it.each([
    ['aHVudGVyMg==', []],
    ['""', []],
    ['hunter2!', ['error 5']],
    ['aHVudGVyMg', ['error 5']],
    ['aHVudGVy-g==', ['error 5']],
    ['YUhWdWRHVnlNbk5sWTNKbGRBPT0=', ['warning 5']],
    ['c2hvcC1hcHA=', []],
  ])('%s: %j', async (value, expected) => {
    expect(await brief('secret-base64', secret(`password: ${value}`))).toEqual(expected);
  });
});

describe('images and rights', () => {
  const image = (name: string) => deployment().replace('example.com/web:1', name);
  it.each([
    ['nginx', 1],
    ['nginx:latest', 1],
    ['localhost:5000/nginx', 1],
    ['nginx:1.27', 0],
    [`nginx@sha256:${'a'.repeat(64)}`, 0],
    [`nginx:latest@sha256:${'a'.repeat(64)}`, 0],
  ])('latest-tag %s: %i', async (name, count) => {
    const found = await find('latest-tag', image(name));
    expect(found.map(({ location }) => location?.line)).toEqual(Array(count).fill(18));
  });

  it.each([
    ['securityContext: { privileged: true }', '', ['warning 19', 'notice 14']],
    ['securityContext: { runAsUser: 0 }', '', ['warning 19', 'notice 14']],
    ['securityContext: { allowPrivilegeEscalation: true, runAsNonRoot: true }', '', ['warning 19']],
    [
      'securityContext: { allowPrivilegeEscalation: false, capabilities: { add: [SYS_ADMIN] } }',
      'securityContext: { runAsNonRoot: true }',
      ['warning 19'],
    ],
    ['', 'hostNetwork: true', ['warning 15', 'notice 14']],
    ['', 'volumes: [{ name: a, hostPath: { path: /etc } }]', ['warning 15', 'notice 14']],
    ['securityContext: { allowPrivilegeEscalation: false }', 'securityContext: { runAsUser: 1 }', []],
  ])('privileged with %s %s: %j', async (container, pod, expected) => {
    expect(
      (await brief('privileged', deployment({ container, pod }))).map((one) => one.split(' ')[0]),
    ).toEqual(expected.map((one) => one.split(' ')[0]));
    expect((await brief('privileged', deployment({ container, pod })))[0]).toBe(expected[0]);
  });
});

describe('api-version and prune', () => {
  const old = budget('minAvailable: 1').replace('policy/v1', 'policy/v1beta1');
  it.each([
    [20, []],
    [21, ['warning 1']],
    [24, ['warning 1']],
    [25, ['error 1']],
  ])('policy/v1beta1 with 1.%i: %j', async (minor, expected) => {
    expect(await brief('api-version', old, cluster(minor))).toEqual(expected);
  });

  it('believes the server about what it serves', async () => {
    const served = (...all: string[]) => cluster(34, [], undefined, { served: new Set(all) });
    expect(await brief('api-version', old, served('policy/v1beta1/PodDisruptionBudget'))).toEqual([
      'warning 1',
    ]);
    const [missing] = await find('api-version', deployment(), served('apps/v2/Deployment'));
    expect(missing?.message).toBe(
      'The cluster does not serve apps/v1 Deployment (web); it has Deployment as apps/v2.',
    );
    const custom = 'apiVersion: example.com/v1\nkind: Shop\nmetadata: { name: a }\n';
    const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: shops.example.com }
spec: { group: example.com, names: { kind: Shop, plural: shops }, versions: [{ name: v1 }] }
`;
    const crds = 'apiextensions.k8s.io/v1/CustomResourceDefinition';
    expect(await brief('api-version', custom, served(crds))).toEqual(['error 1']);
    expect(await brief('api-version', and(custom, definition), served(crds))).toEqual([]);
  });

  it('names what would be deleted', async () => {
    const pruned = [{ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'old' }];
    const [found] = await find('prune', deployment(), cluster(34, [], undefined, { pruned }));
    expect(found).toMatchObject({ level: 'warning', object: pruned[0] });
  });
});

describe('quota', () => {
  const quota = (hard: object, used: object) => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'small', namespace: 'shop' },
    spec: { hard },
    status: { hard, used },
  });
  const live = (replicas: number) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas },
    status: { replicas },
  });
  const surge = 'rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }';
  it.each([
    ['pods left', { pods: '5' }, { pods: '4' }, 4, surge, []],
    ['no pod left', { pods: '4' }, { pods: '4' }, 4, surge, ['error 8']],
    [
      'no pod left, but one may go first',
      { pods: '4' },
      { pods: '4' },
      4,
      'rollingUpdate: { maxUnavailable: 1 }',
      [],
    ],
    ['first rollout', { pods: '3' }, { pods: '0' }, undefined, surge, ['error 8']],
    ['memory', { 'requests.memory': '256Mi' }, { 'requests.memory': '256Mi' }, 4, surge, ['error 8']],
    ['cpu left', { 'limits.cpu': '500m' }, { 'limits.cpu': '400m' }, 4, surge, []],
    ['Recreate', { pods: '4' }, { pods: '4' }, 4, 'type: Recreate', []],
  ])('%s', async (_, hard, used, now, strategy, expected) => {
    const facts = cluster(34, [quota(hard, used), ...(now === undefined ? [] : [live(now)])]);
    const text = deployment({ strategy, container: guaranteed });
    expect(await brief('quota', text, facts)).toEqual(expected);
  });

  it('says how much is missing', async () => {
    const facts = cluster(34, [quota({ 'requests.cpu': '400m' }, { 'requests.cpu': '400m' }), live(4)]);
    const [found] = await find('quota', deployment({ strategy: surge, container: guaranteed }), facts);
    expect(found?.message).toBe(
      'ResourceQuota small allows 400m of requests.cpu, of which 400m is used; the rollout adds 100m (1 more of Deployment shop/web).',
    );
  });

  it('finds a container that does not say what is counted', async () => {
    const facts = cluster(34, [quota({ 'limits.memory': '1Gi' }, {})]);
    expect(await brief('quota', deployment(), facts)).toEqual(['error 17']);
  });

  it('finds a container that a LimitRange refuses', async () => {
    const range = {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'range', namespace: 'shop' },
      spec: { limits: [{ type: 'Container', max: { memory: '32Mi' } }] },
    };
    expect(
      (await find('quota', deployment({ container: guaranteed }), cluster(34, [range])))[0]?.message,
    ).toBe(
      'LimitRange range allows at most 32Mi of memory, and the limit is 64Mi, so container app of Deployment shop/web is refused.',
    );
  });
});

describe('quota of the namespace', () => {
  const configMap = (name: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: shop }\n`;
  const quota = (spec: object, used: object) => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'small', namespace: 'shop' },
    spec,
    status: { ...spec, used },
  });

  it.each([
    ['configmaps', '4', []],
    ['configmaps', '3', ['error 8']],
    ['count/configmaps', '3', ['error 8']],
    ['count/secrets', '3', []],
    ['count/deployments.apps', '0', []],
  ])('%s: %s', async (name, hard, expected) => {
    const there = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'shop' } };
    const facts = cluster(34, [there, quota({ hard: { [name]: hard } }, { [name]: '2' })]);
    const text = and(configMap('a'), configMap('b'), configMap('c'));
    expect(await brief('quota', text, facts)).toEqual(expected.map(() => 'error 6'));
    expect(await brief('quota', and(configMap('a'), deployment()), facts)).toEqual(
      name.includes('deployments') ? ['error 6'] : [],
    );
  });

  it('counts pods that look at other namespaces', async () => {
    const facts = cluster(34, [
      quota({ hard: { pods: '0' }, scopes: ['CrossNamespacePodAffinity'] }, { pods: '0' }),
    ]);
    const near = (term: string) =>
      deployment({
        pod: `affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: a, ${term} }] } }`,
      });
    expect(await find('quota', near('namespaces: [other]'), facts)).toHaveLength(1);
    expect(await find('quota', near('namespaceSelector: {}'), facts)).toHaveLength(1);
    expect(await find('quota', near('labelSelector: {}'), facts)).toEqual([]);
  });

  it('stops no run that replaces no pod', async () => {
    const text = deployment({
      strategy: 'rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }',
      container: guaranteed,
    });
    const [{ object } = { object: undefined }] = await read(text);
    const live = { ...object, status: { replicas: 4 } };
    const facts = cluster(34, [live, quota({ hard: { pods: '4' } }, { pods: '4' })]);
    expect(await find('quota', text, facts)).toEqual([]);
    expect(await find('quota', text.replace('web:1', 'web:2'), facts)).toHaveLength(1);
  });

  it('fills a LimitRange of the manifests in as the server does', async () => {
    const range = `apiVersion: v1
kind: LimitRange
metadata: { name: range, namespace: shop }
spec: { limits: [{ type: Container, max: { memory: 1Gi, cpu: 1 }, min: { memory: 16Mi, cpu: 10m } }] }
`;
    expect(await find('quota', and(range, deployment()), cluster(34))).toEqual([]);
  });

  it('that the manifests change keeps what is used', async () => {
    const written = `apiVersion: v1
kind: ResourceQuota
metadata: { name: small, namespace: shop }
spec: { hard: { configmaps: 2 } }
`;
    const facts = cluster(34, [quota({ hard: { configmaps: '9' } }, { configmaps: '2' })]);
    expect(await find('quota', and(written, configMap('b'), deployment()), facts)).toHaveLength(1);
  });
});

describe('levels', () => {
  it('can be set, and a weaker matter of a rule stays weaker', async () => {
    const manifests = await read(deployment());
    const level = (levels: object) =>
      lintManifests(manifests, levels).filter(({ rule }) => rule === 'latest-tag' || rule === 'probes');
    expect(level({ probes: 'error' })).toMatchObject([{ level: 'notice' }]);
    expect(level({ probes: 'off' })).toEqual([]);
  });

  it('are read from lines', () => {
    expect(parseRuleLevels(['qos = off', 'drain=error'])).toEqual({ qos: 'off', drain: 'error' });
    expect(() => parseRuleLevels(['qso=off'])).toThrow('Did you mean "qos"?');
    expect(() => parseRuleLevels(['qos=warn'])).toThrow(
      'accepted is rule=level with a level of error, warning, notice, off.',
    );
    expect(() => parseRuleLevels(['qos'])).toThrow('accepted is rule=level');
  });

  it('can be switched off for one object, by names that exist', async () => {
    const ignoring = (text: string) =>
      deployment().replace(
        '  name: web\n',
        `  name: web\n  annotations: { slipway.dev/ignore: "${text}" }\n`,
      );
    expect(await brief('qos', ignoring('qos, probes: batch work'))).toEqual([]);
    expect(await brief('resources', ignoring('qos'))).toHaveLength(1);
    await expect(find('qos', ignoring('qso'))).rejects.toThrow('Did you mean "qos"?');
  });
});

it('stays calm on manifests that are nothing like what the API takes', async () => {
  const spec = {
    containers: [null, 'a', { name: 3, env: 'x', ports: 7, resources: [] }],
    initContainers: {},
    volumes: [1],
  };
  const odd = [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a' },
      spec: { replicas: 'x', strategy: [], selector: 'a', template: { metadata: null, spec } },
    },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'b' } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'c' }, spec: { selector: [], ports: {} } },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'd' }, data: { a: 1, b: null } },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'e' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'a' }, metrics: 'x' },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'f' },
      spec: { selector: null },
    },
  ];
  const manifests = odd.map((object) => ({
    object: object as unknown as KubeObject,
    locate: () => undefined,
  }));
  expect(lintManifests(manifests).map(({ rule }) => rule)).toContain('secret-base64');
});

it('docs/preflight.md has the rules as they are', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/preflight.md'), 'utf8');
  const rows = preflightRules.map(
    ({ name, level, finds, why, fix }) => `| \`${name}\` | ${level} | ${finds} | ${why} | ${fix} |`,
  );
  expect(
    page
      .split('\n')
      .filter((line) => line.startsWith('| `') && RULES.some((rule) => line.startsWith(`| \`${rule}\``))),
  ).toEqual(rows);
});
