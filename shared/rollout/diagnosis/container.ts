import { COMPANY_TIME, waitsForPeer } from './company.ts';
import { TRANSIENT } from './config.ts';
import { podResources } from './node-fit.ts';
import { patienceOf } from './patience.ts';
import { describeAnswer, isDefinite } from './probe.ts';
import {
  type ContainerView,
  findingKey,
  lastNotice,
  logOf,
  nameOf,
  type PodView,
  type Symptom,
} from './symptom.ts';

/** A fault of the start that comes again with every start: the program is not there, or may not be run. */
const HOPELESS_START =
  /(?:exec:?|executable file|chdir|starting container process|container process)[\s\S]*(?:no such file or directory|not found|permission denied|is a directory|exec format error|not a directory)/i;

/** How much later than a status an event may be told on a busy cluster. */
const EVENT_TIME = 3000;

const FORMAT = /exec format error|cannot execute binary file/i;

/** Containers that end, or cannot be started. One end is no symptom: a restart may heal it. */
export function endSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const { status, lastEnd, ends } = container;
  if (status === undefined || status.ready || (container.role !== 'app' && isDone(container)))
    return undefined;
  const waiting = status.state?.waiting;
  const startFault = startFaultOf(container);
  if (startFault !== undefined && !TRANSIENT.test(startFault)) {
    if (ends < 2 && waiting?.reason !== 'CrashLoopBackOff' && !HOPELESS_START.test(startFault))
      return undefined;
    return startSymptom(view, container, startFault);
  }
  // A Job’s pods that are not started again end once; whether that is too often is the Job’s to say.
  const enough = view.ownBudget ? 1 : 2;
  if (lastEnd === undefined || (ends < enough && waiting?.reason !== 'CrashLoopBackOff'))
    return killedOnce(view, container);
  if (view.ownBudget && lastEnd.exitCode === 0) return undefined;
  return crashSymptom(view, container);
}

/** An init container that ended well, or a sidecar that started. */
const isDone = ({ role, status }: ContainerView): boolean =>
  role === 'init' ? status?.state?.terminated?.exitCode === 0 : status?.started === true;

function startFaultOf({ status, lastEnd }: ContainerView): string | undefined {
  const waiting = status?.state?.waiting;
  if (waiting?.reason === 'RunContainerError' || waiting?.reason === 'CreateContainerError')
    return waiting.message ?? '';
  const refused = lastEnd?.reason === 'StartError' || lastEnd?.reason === 'ContainerCannotRun';
  return refused && status?.state?.running === undefined ? (lastEnd.message ?? '') : undefined;
}

function startSymptom(view: PodView, container: ContainerView, said: string): Symptom {
  if (FORMAT.test(said)) return platformSymptom(view, container, [said]);
  const program = /exec: "([^"]+)"/.exec(said)?.[1] ?? container.spec.command?.[0];
  return {
    code: 'command-failed',
    object: view.state.id,
    container: container.name,
    message: `${nameOf(container, view)} cannot be started${program === undefined ? '' : `: its program ${program}`}${reasonOf(said)}.`,
    evidence: [said],
    next: `Correct command and args of container ${container.name}, or the image ${container.spec.image ?? ''}.`,
    patience:
      view.ownBudget && !HOPELESS_START.test(said)
        ? Number.POSITIVE_INFINITY
        : patienceOf(view.patience, 'command-failed'),
  };
}

function reasonOf(said: string): string {
  if (/chdir/.test(said)) return ' has a working directory that is not there';
  if (/permission denied/.test(said)) return ' may not be run (permission denied)';
  return /no such file|not found/.test(said) ? ' is not in the image' : '';
}

function platformSymptom(view: PodView, container: ContainerView, evidence: readonly string[]): Symptom {
  return {
    code: 'image-platform',
    object: view.state.id,
    container: container.name,
    message: `${nameOf(container, view)} holds a program for another platform than that of node ${view.state.pod.spec?.nodeName ?? ''}.`,
    evidence,
    next: `Build ${container.spec.image ?? 'the image'} for the platform of the nodes, or choose nodes that fit.`,
    patience: patienceOf(view.patience, 'image-platform'),
  };
}

/** A probe had it killed once, for an answer that another start does not change. */
function killedOnce(view: PodView, container: ContainerView): Symptom | undefined {
  const killed = killingProbe(view, container);
  if (killed === undefined || !isDefinite(killed.answer)) return undefined;
  return probeKill(view, container, killed);
}

function crashSymptom(view: PodView, container: ContainerView): Symptom {
  const { lastEnd, ends, role, spec } = container;
  const log = logOf(view, container.name);
  const message = (lastEnd?.message ?? '').trim();
  const evidence = [...(message === '' ? [] : [message]), ...log];
  // It has shown as a crash until the log said what it is.
  if (FORMAT.test(evidence.join('\n'))) return { ...platformSymptom(view, container, evidence), patience: 0 };
  if (lastEnd?.reason === 'OOMKilled') return oomSymptom(view, container, evidence);
  const killed = killingProbe(view, container);
  if (killed !== undefined) return probeKill(view, container, killed);
  const code = role === 'init' ? 'init-failed' : 'crash';
  const times = ends === 1 ? 'ended' : `ended ${ends === 2 ? 'twice' : `${ends} times`}, last`;
  return {
    code,
    object: view.state.id,
    container: container.name,
    message: `${nameOf(container, view)} ${times} with exit code ${lastEnd?.exitCode ?? 'unknown'}${explainExit(lastEnd?.exitCode)}.`,
    evidence: [...evidence, ...endOf(container)],
    next:
      lastEnd?.exitCode === 0
        ? `See why ${spec.command?.[0] ?? 'the program'} ends: one that is done belongs in a Job.`
        : `Read the log${log.length > 0 ? ' above' : ` (kubectl logs ${view.state.id.name} -c ${container.name} --previous)`} and correct ${spec.image ?? 'the program'} or its configuration.`,
    patience: endPatience(view, container, code),
  };
}

/** What the status says of an end, beside the log. */
const endOf = ({ status, lastEnd }: ContainerView): string[] => [
  `last end: ${lastEnd?.reason ?? 'unknown reason'}, exit code ${lastEnd?.exitCode ?? 'unknown'}, at ${lastEnd?.finishedAt ?? 'an unknown time'}`,
  ...(status?.state?.waiting?.message === undefined ? [] : [status.state.waiting.message]),
];

/** A container that runs again may be healed: its ends are a verdict only while it is down. */
function endPatience(view: PodView, container: ContainerView, code: Symptom['code']): number {
  if (view.ownBudget || container.status?.state?.running !== undefined) return Number.POSITIVE_INFINITY;
  const { livenessProbe, startupProbe } = container.spec;
  // A probe may have had it killed: the event that says so can be told later than the end.
  const told = livenessProbe || startupProbe ? EVENT_TIME : undefined;
  return patienceOf(view.patience, code, waitsForPeer(view, container) ? COMPANY_TIME : told);
}

const ownPatience = ({ ownBudget }: PodView, patience: number): number =>
  ownBudget ? Number.POSITIVE_INFINITY : patience;

function explainExit(code: number | undefined): string {
  if (code === 0) return ' (it ended by itself, which a program that serves must not)';
  if (code === 126) return ' (a program that may not be run)';
  if (code === 127) return ' (a program that was not found)';
  if (code === 137) return ' (killed by SIGKILL, and not for its own memory limit)';
  if (code === 139) return ' (segmentation fault)';
  return code !== undefined && code > 128 && code < 160 ? ` (signal ${code - 128})` : '';
}

function oomSymptom(view: PodView, container: ContainerView, evidence: readonly string[]): Symptom {
  const limit = container.spec.resources?.limits?.memory ?? podResources(view.state.pod)?.limits?.memory;
  const used = view.model.findings.memory.get(findingKey(view.state, container.name));
  const child = container.lastEnd?.exitCode !== 137;
  const what = child
    ? `ended with exit code ${container.lastEnd?.exitCode} after a process of it was killed`
    : 'was killed';
  return {
    code: 'oom-killed',
    object: view.state.id,
    container: container.name,
    message:
      limit === undefined
        ? `${nameOf(container, view)} ${what} because its node ran out of memory; it has no limit of its own.`
        : `${nameOf(container, view)} ${what} for using more than its memory limit of ${limit}.`,
    evidence: [
      `OOMKilled ${container.ends === 1 ? 'once' : `${container.ends} times`}, limit ${limit ?? 'none'}, last seen in use: ${used === undefined ? 'unknown (no metrics of it)' : `${(used / 2 ** 20).toFixed(0)}Mi`}`,
      ...evidence,
    ],
    next: `Raise resources.limits.memory of container ${container.name}, or make it use less (for Go: GOMEMLIMIT).`,
    patience: endPatience(view, container, 'oom-killed'),
  };
}

interface Kill {
  readonly probe: 'startup' | 'liveness';
  readonly answer: string;
  readonly kills: number;
}

/** The probe for which the kubelet killed the container’s last instance. */
function killingProbe(view: PodView, { name, lastEnd }: ContainerView): Kill | undefined {
  const kill = lastNotice(view, /^Killing$/, name, /failed (?:liveness|startup) probe/);
  if (kill === undefined) return undefined;
  // Reporters’ clocks have seconds; an older kill is not why this instance ended.
  if (lastEnd !== undefined && kill.stamp < Date.parse(lastEnd.startedAt ?? '') - 1000) return undefined;
  const probe = /failed startup/.test(kill.message) ? 'startup' : 'liveness';
  const answer = lastNotice(view, /^Unhealthy$/, name, new RegExp(`^${probe} probe`, 'i'))?.message ?? '';
  return { probe, answer, kills: kill.count };
}

function probeKill(view: PodView, container: ContainerView, { probe, answer, kills }: Kill): Symptom {
  return {
    code: probe,
    object: view.state.id,
    container: container.name,
    message: `${nameOf(container, view)} was killed ${kills === 1 ? 'once' : kills === 2 ? 'twice' : `${kills} times`} because its ${probe} probe failed: ${describeAnswer(answer, container.spec[`${probe}Probe`])}.`,
    evidence: [answer, ...logOf(view, container.name)].filter((line) => line !== ''),
    next:
      probe === 'startup'
        ? `Correct the startup probe of container ${container.name}, or raise its failureThreshold.`
        : `Correct the liveness probe of container ${container.name}, or give a slow start a startupProbe.`,
    patience: ownPatience(view, patienceOf(view.patience, probe)),
  };
}
