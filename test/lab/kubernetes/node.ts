import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { networkPlugins } from '../place.ts';
import { type Box, inside, startInside } from './box.ts';
import { serverOf } from './control-plane.ts';
import { type Credentials, kubeconfigOf } from './credentials.ts';

const name = 'node';
/** Short, because paths of sockets must be, and in the box's own memory: a flush to the disk would cost most of a pod's start. */
const runtime = { socket: '/run/containerd.sock', root: '/run/containerd-root', state: '/run/containerd' };

export interface NodeParts {
  readonly kubelab: string;
  readonly containerd: string;
  /** Folder for what the node is configured by. */
  readonly folder: string;
  /** The image of a pod's sandbox. */
  readonly sandbox: string;
}

/** Starts the container runtime. It needs no API server, so it can come up beside it. */
export async function startRuntime(box: Box, { containerd, folder, sandbox }: NodeParts): Promise<void> {
  const networks = join(folder, 'networks');
  await mkdir(networks, { recursive: true });
  await writeFile(join(networks, '10-lab.conflist'), JSON.stringify(network));
  const file = join(folder, 'containerd.toml');
  await writeFile(file, runtimeConfiguration(networks, sandbox));
  await set(box, 'ipv4/ip_forward', 1);
  await set(box, 'ipv4/conf/all/route_localnet', 1);
  // A load generator has one address and soon uses its ports again: what conntrack remembers of the last use would send it to a pod
  // that is gone.
  await set(box, 'netfilter/nf_conntrack_tcp_timeout_time_wait', 1);
  await set(box, 'netfilter/nf_conntrack_tcp_timeout_close', 1);
  await startInside(box, 'containerd', [
    'env',
    `PATH=${[dirname(containerd), process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter)}`,
    containerd,
    '--config',
    file,
  ]);
}

/** Starts kubelet and kube-proxy. The node is ready some seconds later. */
export async function startNode(box: Box, parts: NodeParts, credentials: Credentials): Promise<void> {
  const { kubelab, folder } = parts;
  const file = (of: string) => join(folder, of);
  await writeFile(file('resolv.conf'), 'nameserver 198.19.0.10\n');
  await writeFile(file('kubelet.json'), JSON.stringify(kubelet(box, credentials, file('resolv.conf'))));
  const proxyConfig = await kubeconfigOf(credentials, 'system:kube-proxy', serverOf(box));
  await writeFile(file('kube-proxy.json'), JSON.stringify(kubeProxy(proxyConfig)));
  const kubeconfig = await kubeconfigOf(credentials, `system:node:${name}`, serverOf(box));
  await startInside(box, 'kubelet', [
    kubelab,
    'kubelet',
    `--config=${file('kubelet.json')}`,
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${name}`,
    `--node-ip=${box.address}`,
    '--cert-dir=/var/lib/kubelet/pki',
    '--v=1',
  ]);
  await startInside(box, 'kube-proxy', [kubelab, 'kube-proxy', `--config=${file('kube-proxy.json')}`]);
}

/** A setting of the box's network. */
async function set(box: Box, name: string, value: number): Promise<void> {
  await run({ ...inside(box, 'tee', [`/proc/sys/net/${name}`]), input: `${value}` });
}

const network = {
  cniVersion: '0.4.0',
  name: 'lab',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '198.18.128.0/20' }]],
        routes: [{ dst: '0.0.0.0/0' }],
        dataDir: '/run/cni-addresses',
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

function runtimeConfiguration(networks: string, sandbox: string): string {
  return `version = 2
root = "${runtime.root}"
state = "${runtime.state}"
[grpc]
  address = "${runtime.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandbox}"
  disable_apparmor = true
  # Where CAP_SYS_RESOURCE is lacking, runc cannot make a process less likely to be killed than containerd is.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${networkPlugins}"
    conf_dir = "${networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

function kubelet(box: Box, { authority }: Credentials, resolvConf: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authority },
    },
    authorization: { mode: 'Webhook' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${box.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: ['198.19.0.10'],
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: `unix://${runtime.socket}`,
    resolvConf,
    maxPods: 250,
    // Many tests at once are one node's pods here, and no limit shall be what they measure.
    serializeImagePulls: false,
    registryPullQPS: 0,
    eventRecordQPS: 200,
    eventBurst: 400,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  };
}

function kubeProxy(kubeconfig: string): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: '198.18.128.0/17',
    hostnameOverride: name,
    clientConnection: { kubeconfig },
    // Only the machine's own settings could be changed, which are others' too.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}
