import { COMPANY_TIME, makerOf } from './company.ts';
import { patienceOf } from './patience.ts';
import { type ContainerView, nameOf, type PodView, type Symptom } from './symptom.ts';

/** What the kubelet says while its own caches fill: it passes by itself, and krane#477 shows what failing on it costs. */
export const TRANSIENT =
  /failed to sync \S+ cache|object "[^"]*"\/"[^"]*" not registered|host IP unknown|failed to reserve container name/;

/** A ConfigMap, a Secret or a key of one that a container cannot be made without. */
export function configSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const waiting = container.status?.state?.waiting;
  if (waiting?.reason !== 'CreateContainerConfigError' || TRANSIENT.test(waiting.message ?? ''))
    return undefined;
  const said = waiting.message ?? '';
  const missing = readMissing(said, view.state.id.namespace);
  const base = { object: view.state.id, container: container.name, evidence: [said || waiting.reason] };
  if (missing === undefined)
    return {
      ...base,
      code: 'command-failed',
      message: `${nameOf(container, view)} may not be started as it is described: ${said}.`,
      next: /runAsNonRoot|non-root/.test(said)
        ? 'Build the image with a numeric USER other than 0, or set runAsUser.'
        : `Correct the description of container ${container.name}.`,
      patience: patienceOf(view.patience, 'command-failed'),
    };
  const maker = makerOf(view.model, missing.name);
  return {
    ...base,
    evidence: [...base.evidence, maker ?? ''],
    code: 'config-missing',
    message: `${nameOf(container, view)} needs ${missing.what}, which ${missing.key === undefined ? 'does not exist' : 'it does not have'}.`,
    next: missing.next,
    patience: patienceOf(view.patience, 'config-missing', maker === undefined ? undefined : COMPANY_TIME),
  };
}

const KINDS: Readonly<Record<string, string>> = {
  configmap: 'ConfigMap',
  secret: 'Secret',
  persistentvolumeclaim: 'PersistentVolumeClaim',
  serviceaccount: 'ServiceAccount',
};

/** Reads which object, or which key of it, is missing. */
export function readMissing(
  said: string,
  namespace: string | undefined,
):
  | {
      readonly kind: string;
      readonly name: string;
      readonly key?: string;
      readonly what: string;
      readonly next: string;
    }
  | undefined {
  const key = /couldn't find key (\S+) in (ConfigMap|Secret) (?:[^/\s]+\/)?(\S+)/.exec(said);
  if (key !== null) {
    const [, field = '', kind = '', name = ''] = key;
    return {
      kind,
      name,
      key: field,
      what: `the key ${field} of ${kind} ${name}`,
      next: `Add ${field} to ${kind} ${name}, or correct the key that is asked for.`,
    };
  }
  const object =
    /\b(configmaps?|secrets?|persistentvolumeclaims?|serviceaccounts?) "([^"]+)" not found/i.exec(said);
  if (object === null) return undefined;
  const kind = KINDS[object[1]!.toLowerCase().replace(/s$/, '')]!;
  const name = object[2]!;
  const place = namespace === undefined ? '' : ` in namespace ${namespace}`;
  return {
    kind,
    name,
    what: `${kind} ${name}`,
    next: `Create ${kind} ${name}${place}, or correct the name.`,
  };
}
