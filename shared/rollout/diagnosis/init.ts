import { formatDuration } from '../../host/index.ts';
import { patienceOf } from './patience.ts';
import { type ContainerView, logOf, nameOf, type PodView, type Symptom } from './symptom.ts';

/** An init container that runs and does not end, or a sidecar that others wait for. */
export function initSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const { status, role, name } = container;
  const running = view.state.running.get(name);
  if (role === 'app' || running === undefined || (role === 'sidecar' && status?.started === true))
    return undefined;
  const patience = patienceOf(view.patience, 'init-stuck');
  return {
    code: 'init-stuck',
    object: view.state.id,
    container: name,
    message: `${nameOf(container, view)} ${role === 'init' ? 'runs and does not end' : 'has not started'}, for more than ${formatDuration(patience)} now, and the pod’s other containers wait for it.`,
    evidence: [`running since ${status?.state?.running?.startedAt}`, ...logOf(view, name)],
    next: `See what ${name} waits for (kubectl logs ${view.state.id.name} -c ${name}); if it takes so long, give init-stuck more patience.`,
    from: running.since,
    patience,
  };
}
