import type { Host, Location } from '../../shared/host/index.ts';
import { containersOf, idOf, keyOf, type Manifest, podTemplateOf } from '../../shared/kubernetes/index.ts';
import type { Cause, Finding } from '../../shared/rollout/index.ts';

/** Findings at their lines, each once however many clusters have it. */
export function annotateFindings(host: Host, findings: readonly Finding[]): void {
  const told = new Set<string>();
  for (const { rule, level, message, fix, location } of findings) {
    const key = JSON.stringify([rule, message, location]);
    if (told.has(key)) continue;
    told.add(key);
    // In a terminal they would bury what is wrong; the task that found them lists them.
    if (level === 'notice' && host.kind === 'terminal') continue;
    // The plan has the fixes.
    const mend = fix === undefined || host.kind === 'terminal' ? '' : `\n${fix}`;
    host.annotate({ level, title: rule, message: `${message}${mend}`, location });
  }
}

/** `1 warning, 3 notices`. */
export function countFindings(findings: readonly Finding[]): string {
  const counts = (['error', 'warning', 'notice'] as const).flatMap((level) => {
    const number = findings.filter((one) => one.level === level).length;
    return number === 0 ? [] : [`${number} ${level}${number === 1 ? '' : 's'}`];
  });
  return counts.join(', ') || 'no findings';
}

/** What is worth knowing and nobody has to act on. */
export const noticeLines = (findings: readonly Finding[]): readonly string[] =>
  findings
    .filter(({ level }) => level === 'notice')
    .map(({ rule, message }) => `notice: ${rule}: ${message}`);

/** Where in the user's files the container of a cause is written, or its workload. */
export function placeOfCause(
  { workload, container }: Cause,
  manifests: readonly Manifest[],
): Location | undefined {
  const key = keyOf(workload);
  const manifest =
    manifests.find(({ object }) => keyOf(idOf(object)) === key) ??
    // As the user wrote it, it may have no namespace yet.
    manifests.find(({ object }) => object.kind === workload.kind && object.metadata.name === workload.name);
  if (manifest === undefined) return undefined;
  const template = podTemplateOf(manifest.object);
  const path = template && containersOf(template).find((one) => one.container.name === container)?.path;
  return manifest.locate(path === undefined ? ['metadata', 'name'] : [...path, 'image']);
}
