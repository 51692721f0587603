import { isLater } from '../watch/phase.ts';
import { COMPANY_TIME, makerOf } from './company.ts';
import { readMissing, TRANSIENT } from './config.ts';
import { patienceOf } from './patience.ts';
import { lastNotice, type PodView, type Symptom } from './symptom.ts';

/** Volumes that cannot be had, as the events of kubelet and attach controller say; a container that started after them ends it. */
export function volumeSymptom(view: PodView): Symptom | undefined {
  const failures = view.notices.filter(
    ({ reason, message }) =>
      /^Failed(?:Mount|AttachVolume|MapVolume)$/.test(reason) && !TRANSIENT.test(message),
  );
  const after = lastNotice(view, /^(?:Pulling|Pulled|Created|Started)$/);
  const current = failures.filter((notice) => after === undefined || isLater(notice, after));
  // What names the volume says more than the sum over all volumes that the kubelet gives from time to time.
  const notice =
    current.findLast(({ message }) => !/^Unable to attach or mount volumes/.test(message)) ?? current.at(-1);
  if (notice === undefined) return undefined;
  const missing = readMissing(notice.message, view.state.id.namespace);
  const maker = missing && makerOf(view.model, missing.name);
  const key = /references non-existent (?:config|secret) key: (\S+)/.exec(notice.message)?.[1];
  const volume =
    /volume "([^"]+)"/.exec(notice.message)?.[1] ??
    /unmounted volumes=\[([^\]]+)\]/.exec(notice.message)?.[1];
  const pod = `Pod ${view.state.id.name}`;
  const which = volume === undefined ? 'a volume' : `volume ${volume}`;
  const source = sourceOf(view, volume);
  const why =
    missing !== undefined
      ? `${missing.what} does not exist`
      : key !== undefined
        ? `${source ?? 'its source'} has no key ${key}`
        : /Multi-Attach/.test(notice.message)
          ? 'it is attached to another node, by a pod that has not left yet'
          : (notice.message.split(' : ').at(-1) ?? notice.message);
  return {
    code: 'volume-not-mounted',
    object: view.state.id,
    message: `${pod} cannot mount ${which}: ${why}.`,
    evidence: [
      `${notice.reason}: ${notice.message}${notice.count > 1 ? ` (${notice.count} times)` : ''}`,
      maker ?? '',
    ],
    next:
      missing?.next ??
      (key !== undefined
        ? `Add ${key} to ${source ?? 'the source of the volume'}, or correct the key that is asked for.`
        : 'See to the volume and its driver.'),
    patience: patienceOf(
      view.patience,
      'volume-not-mounted',
      maker !== undefined ? COMPANY_TIME : missing !== undefined || key !== undefined ? 3000 : undefined,
    ),
  };
}

function sourceOf({ state }: PodView, name: string | undefined): string | undefined {
  const volume = state.pod.spec?.volumes?.find((one) => one.name === name);
  if (volume?.configMap) return `ConfigMap ${volume.configMap.name}`;
  if (volume?.secret) return `Secret ${volume.secret.secretName}`;
  return volume?.persistentVolumeClaim && `PersistentVolumeClaim ${volume.persistentVolumeClaim.claimName}`;
}
