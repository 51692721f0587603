import { didYouMean, Failure, parseDuration } from '../../host/index.ts';
import { CAUSES, type CauseCode, type Patience } from '../outcome.ts';

/** What shows a cause, how long it may show before it is a verdict and why, in milliseconds; docs/causes.md is made of it. */
export const CAUSE_GUIDE: Readonly<
  Record<
    CauseCode,
    { readonly shows: string; readonly patience: number; readonly because: string; readonly next: string }
  >
> = {
  'image-not-found': {
    shows: 'The registry answers that it has no such tag, digest or repository; or the pull policy is Never.',
    patience: 3000,
    because:
      'A tag that is not there does not come by waiting; give more where it is still being pushed or mirrored.',
    next: 'Push the image, or correct its name.',
  },
  'image-unauthorized': {
    shows: 'The registry answers 401, 403 or “denied”.',
    patience: 3000,
    because:
      'Credentials that were refused are refused again; where an object of a custom kind that was applied with it names the pull secret, it has 5 min.',
    next: 'Give the pod’s service account or `imagePullSecrets` credentials that may pull.',
  },
  'registry-unreachable': {
    shows: 'No connection, no such host, a time-out, a wrong certificate, 429 or 5xx from the registry.',
    patience: 60_000,
    because: 'Registries and networks recover; a certificate that nobody trusts does not and has 3 s.',
    next: 'Reach the registry from the nodes: name, network, certificate, rate limit.',
  },
  'image-platform': {
    shows: 'The image has no variant for the node’s platform, or its program has another one’s format.',
    patience: 2000,
    because: 'An image does not gain a platform by waiting.',
    next: 'Build the image for the platform of the nodes.',
  },
  'image-invalid': {
    shows: 'The kubelet cannot read the image’s reference (`InvalidImageName`, `ImageInspectError`).',
    patience: 1000,
    because: 'A reference that cannot be read never can.',
    next: 'Correct the reference in the manifest.',
  },
  'command-failed': {
    shows:
      'The runtime cannot start the container: no such program, no permission, a user that is not allowed.',
    patience: 2000,
    because:
      'A program that is not in the image does not come; other faults of the start count from the second on.',
    next: 'Correct `command`, `args`, `workingDir` or the image’s entry point.',
  },
  crash: {
    shows: 'A container ended twice in one pod, or waits in `CrashLoopBackOff`, and was not ready since.',
    patience: 1000,
    because:
      'One crash may be healed by a restart, and nothing counts while it runs again. Where its log says that something cannot be reached and another workload of the rollout is still coming up, it has 5 min; with a liveness or startup probe 3 s, for the event that says who killed it.',
    next: 'Read the last lines of its log.',
  },
  'oom-killed': {
    shows: 'The same, and the container was killed for its memory (`OOMKilled`).',
    patience: 1000,
    because: 'As for a crash.',
    next: 'Raise `resources.limits.memory`, or use less.',
  },
  'config-missing': {
    shows: 'The container waits for a ConfigMap, a Secret or a key of one (`CreateContainerConfigError`).',
    patience: 3000,
    because:
      'What nobody brings does not come. Where what was applied with it may make it (an object of a custom kind that names it, such as an ExternalSecret or a Certificate, or a Job that runs), it has 5 min.',
    next: 'Create it, or correct the name or the key.',
  },
  'volume-not-mounted': {
    shows: 'Events `FailedMount`, `FailedAttachVolume` or `FailedMapVolume` and no container started since.',
    patience: 60_000,
    because:
      'Disks take time to move between nodes; a missing object that is named has 3 s, or 5 min as for `config-missing`.',
    next: 'Create what the volume names, or free the disk.',
  },
  unschedulable: {
    shows: 'The scheduler finds no node (`PodScheduled` is False).',
    patience: 60_000,
    because: 'Pods leave and nodes are added; where no node could hold the pod even when empty it has 3 s.',
    next: 'Ask for less, or add or free nodes.',
  },
  quota: {
    shows: 'Pods are refused with “exceeded quota”, and none of the old ones is leaving.',
    patience: 3000,
    because: 'Only pods that leave free a quota; while some are leaving, nothing is counted.',
    next: 'Raise the quota, or ask for less.',
  },
  admission: {
    shows: 'Pods are refused by a webhook, a policy, Pod Security or a limit range.',
    patience: 3000,
    because: 'A policy says the same again; a webhook that does not answer has 30 s.',
    next: 'Change the pod as the policy asks.',
  },
  startup: {
    shows:
      'The startup probe failed so often that the container was killed twice (once for a definite answer).',
    patience: 1000,
    because: 'The probe’s own budget is spent by then.',
    next: 'Correct the probe, or give it more time.',
  },
  readiness: {
    shows: 'The readiness probe fails beyond its own budget (initialDelay + failureThreshold × period).',
    patience: 120_000,
    because:
      'Slow starts look the same; an answer that waiting does not change, such as 405 or another protocol, has 2 s, and 404 the probe’s own budget once more.',
    next: 'See why the probe is answered so; a slow start wants a startup probe.',
  },
  liveness: {
    shows: 'The liveness probe had the container killed twice (once for a definite answer).',
    patience: 1000,
    because: 'As for a crash.',
    next: 'Correct the probe, or give the program time with a startup probe.',
  },
  'init-failed': {
    shows: 'An init container ended twice with a failure, or waits in `CrashLoopBackOff`.',
    patience: 1000,
    because: 'As for a crash.',
    next: 'Read the last lines of its log.',
  },
  'init-stuck': {
    shows: 'An init container runs and does not end, or a sidecar does not start.',
    patience: 300_000,
    because: 'Migrations and downloads take minutes.',
    next: 'See what it waits for.',
  },
  'disruption-budget': {
    shows:
      'Nodes are closed to new pods, and a PodDisruptionBudget that allows no disruption holds their pods.',
    patience: 60_000,
    because: 'Budgets open again when other pods get ready.',
    next: 'Allow a disruption, or open the node.',
  },
  finalizer: {
    shows: 'An object that is in the way is being deleted, and a finalizer keeps it.',
    patience: 30_000,
    because: 'Controllers need moments to finish with an object.',
    next: 'See to the controller that owns the finalizer.',
  },
  evicted: {
    shows: 'The node’s pressure (memory, disk) evicts pods; from the second pod on 3 s.',
    patience: 60_000,
    because: 'One eviction is made good by a new pod.',
    next: 'State requests that are true, or add nodes.',
  },
  'node-lost': {
    shows: 'The node of a pod does not answer (`NodeLost`, `NodeNotReady`).',
    patience: 60_000,
    because: 'Nodes come back from a restart; after five minutes their pods are made elsewhere.',
    next: 'See to the node.',
  },
  'job-failed': {
    shows: 'The Job’s condition `Failed`: BackoffLimitExceeded, DeadlineExceeded, a pod failure policy.',
    patience: 0,
    because: 'The Job itself has spent its attempts.',
    next: 'See why its pods failed.',
  },
  paused: {
    shows: 'The Deployment is paused, or the Job suspended.',
    patience: 3000,
    because: 'It goes on when somebody says so.',
    next: 'Resume it.',
  },
  superseded: {
    shows: 'Somebody else changed the pod template, or deleted the workload, during the rollout.',
    patience: 0,
    because: 'What is rolled out then is not what was asked for.',
    next: 'Find out who, and run again.',
  },
  'check-failed': {
    shows: 'A check after the rollout fails.',
    patience: 0,
    because: 'Checks have a time of their own.',
    next: 'See the check’s answer.',
  },
  deadline: {
    shows: '`progressDeadlineSeconds` or the timeout is over, with no cause that shows itself.',
    patience: 0,
    because: 'The time was given by the user.',
    next: 'See what was waited for.',
  },
};

/** How long each cause may show where the user does not say otherwise. */
export const DEFAULT_PATIENCE: Patience = Object.fromEntries(
  CAUSES.map((code) => [code, CAUSE_GUIDE[code].patience]),
) as Patience;

/** The patience of lines `cause=duration`, over the default. */
export function parsePatience(lines: readonly string[]): Patience {
  const given = lines.map((line) => {
    const [name = '', ...rest] = line.split('=');
    const code = name.trim();
    const duration = rest.join('=').trim();
    if (!CAUSES.some((one) => one === code) || duration === '')
      throw new Failure(
        `Patience ${JSON.stringify(line)} is not \`cause=duration\`, such as unschedulable=5m.${didYouMean(code, CAUSES)}`,
      );
    return [code, milliseconds(code, duration)] as const;
  });
  return { ...DEFAULT_PATIENCE, ...Object.fromEntries(given) };
}

function milliseconds(code: string, duration: string): number {
  try {
    return parseDuration(duration);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`Patience for ${code} ${error.message}`, { cause: error });
  }
}

/** The patience of a form of a cause that is known to heal later or never: the user's own where one was given. */
export const patienceOf = (patience: Patience, code: CauseCode, form?: number): number =>
  form !== undefined && patience[code] === DEFAULT_PATIENCE[code] ? form : patience[code];
