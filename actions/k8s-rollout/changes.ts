import { formatId } from '../../shared/kubernetes/index.ts';
import type { FieldChange, ObjectChange } from '../../shared/rollout/index.ts';

/** A value longer than this is cut: what matters of a change is that it is there. */
const LONGEST = 300;

/** The changes as a unified diff reads: an object, then its fields with `-` and `+`. Objects that stay the same are left out. */
export function diffLines(changes: readonly ObjectChange[]): string[] {
  return changes
    .filter(({ kind }) => kind !== 'same')
    .flatMap(({ id, kind, fields }) => [
      `${HEADS[kind]} ${formatId(id)}`,
      ...(kind === 'update' || kind === 'replace' ? fields.flatMap(fieldLines) : []),
    ]);
}

const HEADS: Readonly<Record<ObjectChange['kind'], string>> = {
  same: ' ',
  unknown: '?',
  create: '+',
  update: '@',
  remove: '-',
  replace: '!',
};

function fieldLines({ path, before, after, secret, lines }: FieldChange): string[] {
  if (secret) return [`!   ${path}: different`];
  if (lines !== undefined)
    return [
      `    ${path}:`,
      ...lines.map((line) =>
        line.startsWith('@@') ? `      ${line}` : `${line.charAt(0)}     ${line.slice(1)}`,
      ),
    ];
  return [
    ...(before === undefined ? [] : [`-   ${path}: ${show(before)}`]),
    ...(after === undefined ? [] : [`+   ${path}: ${show(after)}`]),
  ];
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** `2 changed, 1 new, 4 the same`. */
export function countChanges(changes: readonly ObjectChange[]): string {
  const count = (kind: ObjectChange['kind']) => changes.filter((change) => change.kind === kind).length;
  const parts = [
    [count('update'), 'changed'],
    [count('create'), 'new'],
    [count('replace'), 'replaced'],
    [count('remove'), 'removed'],
    [count('same'), 'the same'],
    [count('unknown'), 'not readable with this token'],
  ] as const;
  return parts
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number} ${word}`)
    .join(', ');
}
