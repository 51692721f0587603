import { defineAction, input } from '../../shared/host/index.ts';

export const definition = defineAction({
  name: 'k8s-rollout',
  title: 'Slipway: Kubernetes rollout',
  description:
    'Rolls manifests out to a Kubernetes cluster and ends in proof, or in the named cause within seconds and the last proven revision back in service.',
  icon: 'upload-cloud',
  color: 'blue',
  inputs: {
    manifests: input.lines({
      description:
        'What is rolled out, one a line: files, folders, globs, a folder with a kustomization, or `-` for standard input.',
      default: 'deploy',
    }),
    images: input.lines({
      description:
        'Images to set, one `name=reference` a line; the name is that of a container or the repository that the manifests name. Tags are resolved to digests.',
    }),
    'insecure-registries': input.list({
      description:
        'Registries that are asked for digests without TLS, as host or host:port; those on this machine always are.',
    }),
    namespace: input.text({
      description: 'Namespace of objects that name none; default: that of the context.',
    }),
    release: input.text({
      description:
        'Name under which the cluster remembers what was proven; default: the one that the workloads carry, else the name of the first workload.',
    }),
    kubeconfig: input.text({
      description:
        'Path or content of a kubeconfig; default: KUBECONFIG, then ~/.kube/config, then the service account of the pod.',
    }),
    context: input.text({ description: 'Context of the kubeconfig; default: the current one.' }),
    contexts: input.list({
      description: 'Several clusters, as contexts of the kubeconfig, in the order of the waves.',
    }),
    waves: input.list({
      description:
        'How many of the contexts each wave takes, as numbers or percentages; the last one is repeated until all are done. A wave that fails stops the rest.',
      default: '1, 25%, 100%',
    }),
    server: input.text({ description: 'Address of the API server, with token, in place of a kubeconfig.' }),
    token: input.secret({ description: 'Token of a service account, for server.' }),
    'certificate-authority': input.text({
      description: 'CA of the API server, as PEM or that in Base64, for server.',
    }),
    configuration: input.choice(['annotation', 'name', 'none'], {
      description:
        'How a changed ConfigMap or Secret rolls the pods that read it: by an annotation on their template, by a hash in its name, or not at all.',
      default: 'annotation',
    }),
    'force-conflicts': input.lines({
      description:
        'Fields that are taken from other field managers, one a line, such as `spec.template.spec.containers[name=app].image`, with `Kind/name:` in front for one object; `*` takes all.',
    }),
    prune: input.flag({
      description: 'Delete objects of the release that the manifests no longer have.',
    }),
    rules: input.lines({
      description: 'Levels of preflight rules, one `rule=level` a line; levels: error, warning, notice, off.',
    }),
    timeout: input.duration({
      description: 'Time for all workloads to be rolled out, after which the run fails.',
      default: '10m',
    }),
    patience: input.lines({
      description:
        'How long a cause may show before it is a verdict, one `cause=duration` a line, such as `unschedulable=5m`.',
    }),
    checks: input.lines({
      description:
        'Checks after the rollout, one a line: `http[s]://service[:port]/path [status=200] [body=text]`, `grpc://service:port[/name]`, `tcp://service:port`, `exec://workload[/container] command …`; `from=runner` asks the address itself and not through the cluster.',
    }),
    'check-timeout': input.duration({
      description: 'Time in which each check has to pass.',
      default: '1m',
    }),
    undo: input.flag({
      description:
        'After a failure, a timeout or a cancellation go back to the last proven revision, and wait for it.',
      default: 'true',
    }),
    'wait-for-others': input.duration({
      description: 'How long to wait for another run that rolls out the same release.',
      default: '10m',
    }),
    environment: input.text({ description: 'GitHub environment of a Deployment that is recorded.' }),
    'environment-url': input.text({ description: 'Address of the service, shown with the Deployment.' }),
    'github-token': input.secret({
      description: 'Token with deployments: write, for environment.',
      default: '${{ github.token }}',
    }),
    gitops: input.text({
      description:
        'In place of a cluster: folder (`path`), or branch and folder (`branch:path`) to which the rendered, pinned manifests are committed for Argo CD or Flux.',
    }),
    'gitops-push': input.flag({ description: 'Push the branch of gitops.', default: 'true' }),
    plan: input.flag({ description: 'Print the preflight and what would change, and stop.' }),
  },
  outputs: {
    result: '`complete`, `failed`, `undone`, `unknown`, or `planned`.',
    cause: 'Code of the first cause, such as `image-not-found`; empty when there is none.',
    revision: 'Number of the proven revision that serves at the end.',
    report: 'Path of the JSON report: findings, changes, timelines, causes, checks.',
    changed: '`false` when nothing had to be applied.',
  },
  post: true,
});
