import { expect, it } from 'vitest';
import { type PullFault, readPullFault } from '../../../../shared/rollout/diagnosis/image.ts';

/**
 * Put together from the words that containerd (1.2 to 2.x), containers/image (CRI-O), the Docker engine and the kubelet have in their
 * sources, and compared with what users quote of them; hosts and names are ours. What the lab's own nodes said is in recorded.test.ts.
 */
const messages: readonly (readonly [PullFault, string, string])[] = [
  [
    'not-found',
    'containerd 1.6',
    'rpc error: code = NotFound desc = failed to pull and unpack image "10.0.0.1:5000/team/app:v9": failed to resolve reference "10.0.0.1:5000/team/app:v9": 10.0.0.1:5000/team/app:v9: not found',
  ],
  [
    'not-found',
    'containerd 2',
    'failed to pull and unpack image "registry.test/team/app:v9": failed to resolve image: registry.test/team/app:v9: not found',
  ],
  [
    'not-found',
    'containerd with a digest',
    'failed to pull and unpack image "registry.test/team/app@sha256:00": failed to copy: httpReadSeeker: failed open: content at https://registry.test/v2/team/app/manifests/sha256:00 not found: not found',
  ],
  ['not-found', 'CRI-O', 'reading manifest v9 in registry.test/team/app: manifest unknown: manifest unknown'],
  [
    'not-found',
    'CRI-O, repository',
    'initializing source docker://registry.test/team/app:v9: reading manifest v9 in registry.test/team/app: name unknown',
  ],
  [
    'not-found',
    'Docker',
    'rpc error: code = Unknown desc = Error response from daemon: manifest for registry.test/team/app:v9 not found: manifest unknown: manifest unknown',
  ],
  [
    'unauthorized',
    'containerd',
    'failed to pull and unpack image "docker.io/team/app:v1": failed to resolve reference "docker.io/team/app:v1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
  ],
  [
    'unauthorized',
    'containerd, basic',
    'failed to resolve reference "registry.test/team/app:v1": unexpected status from HEAD request to https://registry.test/v2/team/app/manifests/v1: 401 Unauthorized',
  ],
  [
    'unauthorized',
    'containerd, token',
    'failed to resolve reference "registry.test/team/app:v1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.test/token?scope=repository: 403 Forbidden',
  ],
  [
    'unauthorized',
    'containerd, ECR',
    'failed to resolve reference "1.dkr.ecr.eu-west-1.amazonaws.com/app:v1": pulling from host 1.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests v1]: 401 Unauthorized',
  ],
  [
    'unauthorized',
    'CRI-O',
    'initializing source docker://registry.test/team/app:v1: reading manifest v1 in registry.test/team/app: errors: denied: requested access to the resource is denied unauthorized: authentication required',
  ],
  [
    'unauthorized',
    'Docker',
    "Error response from daemon: pull access denied for team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  ],
  [
    'unauthorized',
    'Docker, ECR',
    'Error response from daemon: Get https://registry.test/v2/team/app/manifests/v1: no basic auth credentials',
  ],
  [
    'network',
    'refused',
    'failed to resolve reference "registry.test/team/app:v1": failed to do request: Head "https://registry.test/v2/team/app/manifests/v1": dial tcp 10.0.0.1:443: connect: connection refused',
  ],
  [
    'network',
    'name',
    'failed to do request: Head "https://registry.test/v2/team/app/manifests/v1": dial tcp: lookup registry.test on 10.0.0.53:53: no such host',
  ],
  [
    'network',
    'time',
    'failed to do request: Head "https://registry.test/v2/team/app/manifests/v1": dial tcp 10.0.0.1:443: i/o timeout',
  ],
  [
    'network',
    'token server',
    'failed to authorize: failed to fetch anonymous token: Get "https://auth.test/token": dial tcp 10.0.0.1:443: i/o timeout',
  ],
  [
    'network',
    '5xx',
    'failed to resolve reference "registry.test/team/app:v1": unexpected status from HEAD request to https://registry.test/v2/team/app/manifests/v1: 503 Service Unavailable',
  ],
  [
    'network',
    'token server 5xx',
    'failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.test/token: 502 Bad Gateway',
  ],
  [
    'network',
    'CRI-O',
    'pinging container registry registry.test: Get "https://registry.test/v2/": dial tcp 10.0.0.1:443: connect: no route to host',
  ],
  [
    'network',
    'Docker',
    'Error response from daemon: Get https://registry.test/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
  ],
  [
    'certificate',
    'authority',
    'failed to do request: Head "https://registry.test/v2/team/app/manifests/v1": tls: failed to verify certificate: x509: certificate signed by unknown authority',
  ],
  [
    'certificate',
    'HTTP',
    'failed to do request: Head "https://registry.test:5000/v2/team/app/manifests/v1": http: server gave HTTP response to HTTPS client',
  ],
  [
    'limited',
    'Docker Hub',
    'failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/busybox/manifests/sha256:50aa: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.',
  ],
  ['limited', 'the kubelet itself', 'pull QPS exceeded'],
  [
    'platform',
    'containerd',
    'rpc error: code = NotFound desc = failed to pull and unpack image "registry.test/team/app:v1": no match for platform in manifest: not found',
  ],
  [
    'platform',
    'containerd 1.2',
    'no match for current platform linux/arm/v7 in manifest sha256:32ef: not found',
  ],
  ['platform', 'Docker', 'no matching manifest for linux/amd64 in the manifest list entries'],
  [
    'platform',
    'CRI-O',
    'choosing image instance: no image found in manifest list for architecture "arm64", variant "v8", OS "linux"',
  ],
  [
    'unclear',
    'nothing that is known',
    'failed to extract layer sha256:00: write /var/lib/x: no space left on device',
  ],
];

it.each(messages)('%s: %s', (fault, _, message) =>
  expect(readPullFault(message, 'registry.test/team/app:v1')).toBe(fault),
);

it('takes no word from the name of an image', () => {
  const image = 'registry.test/denied-forbidden/x509-404:unauthorized';
  const message = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: not found`;
  expect(readPullFault(message, image)).toBe('not-found');
  expect(
    readPullFault(
      `failed to resolve reference "${image}": dial tcp 10.0.0.1:443: connect: connection refused`,
      image,
    ),
  ).toBe('network');
});
