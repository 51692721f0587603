import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { type Box, startInside } from './box.ts';
import { type Credentials, kubeconfigOf } from './credentials.ts';

/** Ports are the usual ones: in its box a cluster is alone. */
const etcd = 'http://127.0.0.1:2379';
const peers = 'http://127.0.0.1:2380';

export const serverOf = (box: Box) => `https://${box.address}:6443`;

/** Starts etcd, the API server, the controllers and the scheduler, and waits until the API server is ready. */
export async function startControlPlane(kubelab: string, box: Box, credentials: Credentials): Promise<void> {
  // What is lost with the machine is lost with the session too: no flush to the disk, and the disk is memory.
  // biome-ignore format: a flag with its value
  await startInside(box, 'etcd', [
    kubelab, 'etcd', '--name', 'lab', '--data-dir', '/run/etcd', '--unsafe-no-fsync', '--log-level', 'warn',
    '--listen-client-urls', etcd, '--advertise-client-urls', etcd,
    '--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers, '--initial-cluster', `lab=${peers}`,
  ]);
  await startInside(box, 'kube-apiserver', [kubelab, ...apiServer(box, credentials)], async () =>
    isReady(`${serverOf(box)}/readyz`, credentials),
  );
  const { folder, authority } = credentials;
  const common = async (user: Parameters<typeof kubeconfigOf>[1]) => {
    const file = await kubeconfigOf(credentials, user, serverOf(box));
    const configuration = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'];
    return [...configuration.map((flag) => `--${flag}=${file}`), '--leader-elect=false', ...quick];
  };
  await startInside(box, 'kube-controller-manager', [
    kubelab,
    'kube-controller-manager',
    ...(await common('system:kube-controller-manager')),
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${folder}/accounts.key`,
    `--root-ca-file=${authority}`,
    '--allocate-node-cidrs=false',
    '--horizontal-pod-autoscaler-sync-period=5s',
    '--horizontal-pod-autoscaler-initial-readiness-delay=5s',
    '--horizontal-pod-autoscaler-cpu-initialization-period=10s',
  ]);
  await startInside(box, 'kube-scheduler', [
    kubelab,
    'kube-scheduler',
    ...(await common('system:kube-scheduler')),
  ]);
}

/** Many tests at once are one client to the API server here. */
const quick = ['--kube-api-qps=300', '--kube-api-burst=600'] as const;

function apiServer(box: Box, { folder, authority }: Credentials): readonly string[] {
  return [
    'kube-apiserver',
    `--etcd-servers=${etcd}`,
    '--secure-port=6443',
    `--advertise-address=${box.address}`,
    '--service-cluster-ip-range=198.19.0.0/16',
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    `--client-ca-file=${authority}`,
    `--tls-cert-file=${folder}/apiserver.crt`,
    `--tls-private-key-file=${folder}/apiserver.key`,
    `--token-auth-file=${folder}/tokens.csv`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${folder}/accounts.pub`,
    `--service-account-signing-key-file=${folder}/accounts.key`,
    `--kubelet-client-certificate=${folder}/kubelet-client.crt`,
    `--kubelet-client-key=${folder}/kubelet-client.key`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${authority}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${folder}/front-proxy.crt`,
    `--proxy-client-key-file=${folder}/front-proxy.key`,
    '--enable-aggregator-routing=true',
    '--profiling=false',
    '--v=1',
  ];
}

/** Anyone may ask for /readyz. */
async function isReady(url: string, { authority }: Credentials): Promise<void> {
  const ca = await readFile(authority);
  await new Promise<void>((resolve, reject) => {
    get(url, { ca, timeout: 5_000, agent: false }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`it answers ${answer.statusCode}`));
    })
      .on('error', reject)
      .on('timeout', () => reject(new Error('it does not answer')));
  });
}
