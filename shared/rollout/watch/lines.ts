import { formatDuration } from '../../host/index.ts';
import { TRANSIENT } from '../diagnosis/config.ts';
import type { Notice, PodState, WorkloadState } from './model.ts';
import { belongsToRevision } from './revision.ts';

/** As many lines of one sort for one workload; a hundred pods that do the same are not worth a hundred. */
const MOST = 4;

/** What the kubelet says beside the same in more words. */
const ECHO = /^Error: (?:ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull)$/;

/** Turns what is told into lines that are worth reading, each once. */
export interface Lines {
  pod(workload: WorkloadState, before: PodState | undefined, after: PodState): readonly string[];
  /** `isNews`: told after the list of what there was. */
  notice(workload: WorkloadState, notice: Notice, isNews: boolean): readonly string[];
}

export function createLines(started: number): Lines {
  const said = new Map<string, number>();
  const once = (workload: WorkloadState, sort: string, line: string): readonly string[] => {
    const key = `${workload.id.kind}/${workload.id.namespace}/${workload.id.name} ${sort}`;
    const count = (said.get(key) ?? 0) + 1;
    said.set(key, count);
    if (count > MOST) return [];
    return [count === MOST ? `${line} (and so on)` : line];
  };
  const told = new Set<string>();
  /** The kubelet says the same of the same pod again and again: that is told once. */
  const unrepeated = (line: string, tell: () => readonly string[]): readonly string[] => {
    if (told.has(line)) return [];
    told.add(line);
    return tell();
  };
  return {
    pod(workload, before, after) {
      const last = after.spans.at(-1);
      if (last === undefined || (before !== undefined && before.spans.at(-1) === last)) return [];
      if (!belongsToRevision(workload)(after)) return [];
      const name = after.id.name;
      if (last.phase === 'ready') {
        // Pods that were ready before anybody looked are no news.
        if (before === undefined) return [];
        const since = formatDuration(last.from - (after.spans[0]?.from ?? last.from));
        return once(workload, 'ready', `pod ${name} is ready after ${since}`);
      }
      if (last.phase === 'failing') {
        const ended = endOf(after);
        return once(workload, `failing ${last.detail}`, `pod ${name}: ${last.detail ?? 'failed'}${ended}`);
      }
      return [];
    },
    notice(workload, notice, isNews) {
      // What happened before this rollout is of another one. The cluster's clock may be another, too.
      if (!isNews && notice.stamp < started - 2000) return [];
      const { reason, message, object } = notice;
      if (TRANSIENT.test(message) || ECHO.test(message)) return [];
      if (notice.type === 'Warning') {
        const plain = message.replaceAll(object.name, '').replaceAll(/[0-9a-f-]{36}/g, '');
        const short = message.length > 300 ? `${message.slice(0, 300)}…` : message;
        const line = `${object.kind.toLowerCase()} ${object.name}: ${reason}: ${short}`;
        return unrepeated(line, () => once(workload, `${reason} ${notice.container ?? ''} ${plain}`, line));
      }
      if (reason === 'Pulling')
        return once(
          workload,
          `pulling ${message}`,
          `pod ${object.name} pulls ${message.replace(/^Pulling image /, '')}`,
        );
      if (reason === 'Pulled' && /Successfully pulled/.test(message))
        return once(workload, 'pulled', `pod ${object.name}: ${message}`);
      if (reason === 'TriggeredScaleUp') return once(workload, 'scale-up', `pod ${object.name}: ${message}`);
      return [];
    },
  };
}

function endOf({ pod }: PodState): string {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const ended = statuses.find(
    ({ state, lastState }) => state?.terminated ?? (state?.waiting && lastState?.terminated),
  );
  const code = (ended?.state?.terminated ?? ended?.lastState?.terminated)?.exitCode;
  return code === undefined ? '' : ` (container ${ended?.name} ended with exit code ${code})`;
}
