import { defineAction, input } from '../../shared/host/index.ts';

export const definition = defineAction({
  name: 'up',
  title: 'Slipway',
  description:
    'From a Go service to proven pods in one step: binaries, image, registry, Kubernetes rollout, and the reason for each.',
  icon: 'anchor',
  color: 'blue',
  inputs: {
    directory: input.text({
      description: 'Folder of the service, with its go.mod, Dockerfile and optional slipway.yml.',
      default: '.',
    }),
    config: input.text({
      description:
        'Path of the configuration file, relative to the directory; default: slipway.yml where it exists.',
    }),
    push: input.lines({
      description:
        'References under which the image is published, one a line, such as registry.example/shop/app:1.4.',
    }),
    load: input.flag({ description: 'Load the image into the local container engine.' }),
    targets: input.list({
      description:
        'Targets of the binaries, such as linux/amd64,linux/arm64; wins over build.targets of slipway.yml.',
    }),
    platforms: input.list({
      description:
        'Platforms of the image; default: the Linux targets. Wins over image.platforms of slipway.yml.',
    }),
    rollout: input.choice(['auto', 'on', 'off'], {
      description:
        'Whether the published image is rolled out; auto: where slipway.yml has the section rollout and this run or that section names a cluster or gitops.',
      default: 'auto',
    }),
    kubeconfig: input.text({
      description:
        'Path or content of the kubeconfig for the rollout; default: KUBECONFIG, then ~/.kube/config, then the service account of the pod.',
    }),
    context: input.text({
      description: 'Context of the kubeconfig; wins over rollout.context of slipway.yml.',
    }),
    namespace: input.text({
      description: 'Namespace of objects that name none; wins over rollout.namespace of slipway.yml.',
    }),
    server: input.text({ description: 'Address of the API server, with token, in place of a kubeconfig.' }),
    token: input.secret({ description: 'Token of a service account, for server.' }),
    'certificate-authority': input.text({
      description: 'CA of the API server, as PEM or that in Base64, for server.',
    }),
    'github-token': input.secret({
      description:
        'Token with deployments: write, for rollout.environment, or contents: write, for rollout.gitops.',
      default: '${{ github.token }}',
    }),
    plan: input.flag({ description: 'Print what would be done and why, and stop.' }),
  },
  outputs: {
    digest: 'Digest of the image or, for several platforms, of the index.',
    imageid: 'Digest of the image configuration (of the first platform).',
    reference: 'The first published reference with its digest, or the name in the layout.',
    layout: 'Absolute path of the OCI image layout.',
    binaries: 'JSON list of the binaries: target, path, digest, size, Go version.',
    plan: 'JSON of the plan: what was reused, what was built, and because of which part.',
    changed: 'false when nothing had to be built.',
    rollout: 'How the rollout ended: `complete`, `failed`, `undone` or `unknown`; empty when there was none.',
    cause: 'Code of the first cause of a rollout that failed.',
    revision: 'Number of the proven revision that serves at the end.',
    report: 'Path of the JSON report of the rollout.',
  },
  post: true,
});
