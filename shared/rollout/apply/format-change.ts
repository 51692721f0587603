import type { FieldChange } from './change.ts';

/** Characters of a value that a line shows. */
const LONGEST = 120;

/** One line for a field: `spec.replicas: 2 → 3`. Of Secrets it tells that a value is different, and nothing of it. */
export function formatChange({ path, before, after, secret, lines }: FieldChange): string {
  if (secret === true) return `${path}: different (secret)`;
  if (lines !== undefined) {
    const count = (sign: string): number => lines.filter((line) => line.startsWith(sign)).length;
    return `${path}: ${count('-')} lines removed, ${count('+')} added`;
  }
  if (before === undefined) return `${path}: set to ${show(after)}`;
  if (after === undefined) return `${path}: removed, was ${show(before)}`;
  return `${path}: ${show(before)} → ${show(after)}`;
}

function show(value: unknown): string {
  const text = typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
