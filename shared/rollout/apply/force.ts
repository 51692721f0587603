import { Failure } from '../../host/index.ts';
import {
  type FieldSet,
  type FieldSteps,
  fieldsOf,
  formatSteps,
  type ObjectId,
} from '../../kubernetes/index.ts';
import type { Conflict } from './change.ts';

/** Fields that may be taken from their owners: a line of `force-conflicts`. */
export interface ForcePattern {
  readonly kind: string | undefined;
  readonly name: string | undefined;
  /** Without leading dot and quotes: `spec.template.spec.containers[name=app].image`; `*` for all fields. */
  readonly path: string;
}

const PATTERN =
  /^(?:(?<kind>[A-Z][A-Za-z0-9]*)(?:\/(?<name>[a-z0-9][a-z0-9.:-]*?))?:(?!\/))?(?<path>\*|\.?[A-Za-z].*)$/;

/** Reads lines such as `spec.replicas`, `Deployment/web:spec.replicas`, `Deployment/web:*` and `*`. */
export function parseForcePatterns(lines: readonly string[]): readonly ForcePattern[] {
  return lines.map((line) => {
    const { kind, name, path } = PATTERN.exec(line.trim())?.groups ?? {};
    if (path === undefined || (kind === undefined && /^[A-Z]/.test(path))) {
      throw new Failure(
        `force-conflicts: "${line}" is no field; accepted are a path such as spec.replicas, Kind/name:path for one object, and *.`,
      );
    }
    return { kind, name, path: bare(path) };
  });
}

/** A path as both users and the API write it, made equal: no leading dot, no quotes around keys. */
const bare = (path: string): string =>
  path.replace(/^\./, '').replaceAll(/\[[^\]]*\]/g, (keys) => keys.replaceAll(/["'\s]/g, ''));

/** Whether the user let this field be taken. Its steps tell where names that hold dots begin and end. */
export function isForced(
  patterns: readonly ForcePattern[],
  conflict: Conflict,
  steps: FieldSteps | undefined,
): boolean {
  const fitting = patterns.filter(
    ({ kind, name }) =>
      (kind === undefined || kind === conflict.id.kind) && (name === undefined || name === conflict.id.name),
  );
  if (fitting.some(({ path }) => path === '*')) return true;
  const around =
    steps === undefined
      ? [bare(conflict.field)]
      : steps.map((_, index) => bare(formatSteps(steps.slice(0, index + 1))));
  return fitting.some(({ path }) => around.some((field) => fits(path, field)));
}

/** `[*]` in a pattern means each item of a list. */
function fits(pattern: string, field: string): boolean {
  if (!pattern.includes('[*]')) return pattern === field;
  const parts = pattern.split('[*]').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('\\[[^\\]]*\\]')}$`).test(field);
}

/** The steps of a field that the API wrote as text. */
export function stepsOf(field: string, live: FieldSet): FieldSteps | undefined {
  for (const steps of fieldsOf(live)) if (formatSteps(steps) === field) return steps;
  return undefined;
}

/** The line of `force-conflicts` that takes a field. */
export const forceLine = ({ id, field }: { id: ObjectId; field: string }): string =>
  `${id.kind}/${id.name}:${bare(field)}`;
