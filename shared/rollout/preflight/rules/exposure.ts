import type { FieldPath } from '../../../kubernetes/index.ts';
import { formatId } from '../../../kubernetes/index.ts';
import type { DeclaredWorkload, Problem, RuleDefinition } from '../rule.ts';
import { fieldsOf, listOf } from '../workload.ts';

/** Namespaces whose name says that they are for trying things out. */
const TEST_NAMESPACE =
  /(?:^|[-_.])(?:tests?|testing|dev|development|qa|e2e|ci|preview|sandbox|local|demo)(?:\d*$|[-_.\d])/;

export const nodePort: RuleDefinition = {
  name: 'node-port',
  level: 'warning',
  finds:
    'a Service of the type NodePort outside namespaces that are named as for tests (test, dev, qa, e2e, ci, preview, sandbox, local, demo)',
  why: 'the port is open on every node, past the ingress, its TLS and its rules, and a roll of the nodes moves its address',
  fix: '`type: ClusterIP` behind an Ingress or Gateway, or `LoadBalancer`',
  *find({ manifests }) {
    for (const manifest of manifests) {
      const { object } = manifest;
      if (object.kind !== 'Service' || fieldsOf(object.spec).type !== 'NodePort') continue;
      const { namespace } = object.metadata;
      if (namespace !== undefined && TEST_NAMESPACE.test(namespace)) continue;
      yield {
        manifest,
        path: ['spec', 'type'],
        message: `Service ${object.metadata.name} opens a port on every node of the cluster${namespace === undefined ? '' : ` (namespace ${namespace} is not named as one for tests)`}.`,
        fix: 'type: ClusterIP',
      };
    }
  },
};

export const latestTag: RuleDefinition = {
  name: 'latest-tag',
  level: 'warning',
  finds: 'an image without a tag, or with `latest`, and without a digest',
  why: 'what runs changes without a rollout, differs from node to node, and an undo brings back the same tag and not the old program',
  fix: 'the input `images`, which pins to a digest, or a version',
  *find({ workloads }) {
    for (const { manifest, id, containers } of workloads)
      for (const { container, path } of containers) {
        const moving = movingTag(container.image);
        if (moving === undefined) continue;
        yield {
          manifest,
          path: [...path, 'image'],
          message: `Container ${container.name} of ${formatId(id)} takes ${container.image}, ${moving}: what runs changes without a rollout, and an undo does not bring it back.`,
          fix: `# with the input images: ${container.name}=${String(container.image).replace(/:latest$/, '')}:VERSION\nimage: ${String(container.image).replace(/:latest$/, '')}:VERSION`,
        };
      }
  },
};

function movingTag(image: unknown): string | undefined {
  if (typeof image !== 'string' || image === '' || image.includes('@') || /\s|[${}]/.test(image))
    return undefined;
  const name = image.slice(image.lastIndexOf('/') + 1);
  if (!name.includes(':')) return 'which has no tag and so means latest';
  return name.endsWith(':latest') ? 'a tag that moves' : undefined;
}

interface Exposure {
  readonly path: FieldPath;
  readonly what: string;
  readonly fix: string;
}

export const privileged: RuleDefinition = {
  name: 'privileged',
  level: 'warning',
  finds:
    '`privileged`, root (`runAsUser: 0`), `allowPrivilegeEscalation: true`, strong capabilities, host namespaces, `hostPath`; as a notice: nothing that keeps the program from running as root or from gaining rights',
  why: 'a hole in the program is a hole in the node, and a namespace with a Pod Security level refuses the pod',
  fix: '`runAsNonRoot: true`, `allowPrivilegeEscalation: false`, `capabilities: { drop: [ALL] }`',
  *find({ workloads }) {
    for (const workload of workloads) {
      const { manifest, id } = workload;
      for (const { path, what, fix } of [...podExposures(workload), ...containerExposures(workload)])
        yield { manifest, path, message: `${what} (${formatId(id)}).`, fix };
      yield* unhardened(workload);
    }
  },
};

function podExposures({ podPath, spec }: DeclaredWorkload): Exposure[] {
  const base = [...podPath, 'spec'];
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const)
    .filter((field) => spec[field] === true)
    .map((field) => ({
      path: [...base, field],
      what: `${field} puts the pod into the node's own ${field === 'hostNetwork' ? 'network' : field === 'hostPID' ? 'process list' : 'shared memory'}`,
      fix: `${field}: false`,
    }));
  const paths = listOf(spec.volumes).flatMap((volume, index) => {
    const { name, hostPath } = fieldsOf(volume);
    if (hostPath === undefined) return [];
    return {
      path: [...base, 'volumes', index, 'hostPath'],
      what: `Volume ${String(name)} is the node's own ${String(fieldsOf(hostPath).path)}`,
      fix: `- name: ${String(name)}\n  emptyDir: {}`,
    };
  });
  const root =
    fieldsOf(spec.securityContext).runAsUser === 0
      ? [rootUser([...base, 'securityContext', 'runAsUser'], 'The pod runs')]
      : [];
  return [...shared, ...paths, ...root];
}

const rootUser = (path: FieldPath, who: string): Exposure => ({
  path,
  what: `${who} as root (runAsUser: 0)`,
  fix: 'securityContext:\n  runAsNonRoot: true\n  runAsUser: 65532',
});

const STRONG = ['ALL', 'SYS_ADMIN', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_MODULE', 'BPF', 'DAC_READ_SEARCH'];

function containerExposures({ containers }: DeclaredWorkload): Exposure[] {
  return containers.flatMap(({ container, path }) => {
    const security = fieldsOf(container.securityContext);
    const base = [...path, 'securityContext'];
    const strong = listOf(fieldsOf(security.capabilities).add)
      .map(String)
      .filter((one) => STRONG.includes(one.replace(/^CAP_/, '')));
    return [
      ...(security.privileged === true
        ? [
            {
              path: [...base, 'privileged'],
              what: `Container ${container.name} is privileged: it can do all that the node's root can`,
              fix: 'securityContext:\n  privileged: false',
            },
          ]
        : []),
      ...(security.runAsUser === 0
        ? [rootUser([...base, 'runAsUser'], `Container ${container.name} runs`)]
        : []),
      ...(security.allowPrivilegeEscalation === true
        ? [
            {
              path: [...base, 'allowPrivilegeEscalation'],
              what: `Container ${container.name} may gain more rights than it starts with`,
              fix: 'securityContext:\n  allowPrivilegeEscalation: false',
            },
          ]
        : []),
      ...(strong.length > 0
        ? [
            {
              path: [...base, 'capabilities', 'add'],
              what: `Container ${container.name} is given ${strong.join(', ')}`,
              fix: 'securityContext:\n  capabilities: { drop: [ALL] }',
            },
          ]
        : []),
    ];
  });
}

/** One notice a workload: what the manifest does not rule out is up to the image. */
function* unhardened({ manifest, id, podPath, spec, containers }: DeclaredWorkload): Iterable<Problem> {
  const pod = fieldsOf(spec.securityContext);
  const open = containers.map(({ container, path }) => {
    const own = fieldsOf(container.securityContext);
    const user = own.runAsUser ?? pod.runAsUser;
    const root = (own.runAsNonRoot ?? pod.runAsNonRoot) !== true && user === undefined;
    const escalates = own.allowPrivilegeEscalation === undefined && own.privileged !== true;
    return { name: container.name, path, root, escalates };
  });
  const names = (of: 'root' | 'escalates') => open.filter((one) => one[of]).map(({ name }) => name);
  const [root, escalates] = [names('root'), names('escalates')];
  if (root.length === 0 && escalates.length === 0) return;
  const says = [
    ...(root.length > 0 ? [`keeps ${root.join(', ')} from running as root`] : []),
    ...(escalates.length > 0 ? [`keeps ${escalates.join(', ')} from gaining rights`] : []),
  ];
  yield {
    manifest,
    path: [...podPath, 'spec', 'securityContext'],
    message: `Nothing in ${formatId(id)} ${says.join(', or ')}.`,
    fix: [
      ...(root.length > 0 ? ['securityContext:  # of the pod', '  runAsNonRoot: true'] : []),
      ...(escalates.length > 0
        ? [
            'securityContext:  # of each container',
            '  allowPrivilegeEscalation: false',
            '  capabilities: { drop: [ALL] }',
          ]
        : []),
    ].join('\n'),
    atMost: 'notice',
  };
}
