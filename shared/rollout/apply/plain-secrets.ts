import { secretLine, secretShape } from '../preflight/secret-shape.ts';
import type { FieldChange, ObjectChange } from './change.ts';

/** Stands where a value is not shown. */
const HIDDEN = '(hidden)';

/**
 * Changes without the passwords and keys that stand in the open in `env` and in ConfigMaps: a summary and a report are read by more
 * people than the manifests. Of such a field, as of one of a Secret, only that it differs is left.
 */
export const withoutPlainSecrets = (changes: readonly ObjectChange[]): ObjectChange[] =>
  changes.map((change) => ({ ...change, fields: change.fields.map(withoutSecret) }));

function withoutSecret(field: FieldChange): FieldChange {
  const { path, before, after, lines } = field;
  const name = nameIn(path);
  if ([before, after].some((value) => isSecret(name, value)))
    return { path, before: undefined, after: undefined, secret: true };
  return {
    ...field,
    before: shown(before),
    after: shown(after),
    ...(lines !== undefined && { lines: lines.map((line) => line.charAt(0) + shownLine(line.slice(1))) }),
  };
}

/** What a value is called: `…env[name=TOKEN].value`, `data.password`, `data["app.yaml"]`. */
function nameIn(path: string): string {
  const match = /\[name="?([^\]"]+)"?\]\.value$/.exec(path) ?? /\.([^.[\]]+)$|\["(.+)"\]$/.exec(path);
  return match?.[1] ?? match?.[2] ?? '';
}

const isSecret = (name: string, value: unknown): boolean =>
  typeof value === 'string' && secretShape(name, value) !== undefined;

/** Whole objects too, such as a container or a variable that is new. */
function shown(value: unknown): unknown {
  if (typeof value === 'string')
    return isSecret('', value) ? HIDDEN : value.split('\n').map(shownLine).join('\n');
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  const { name } = value as { readonly name?: unknown };
  return Object.fromEntries(
    Object.entries(value).map(([key, own]) => {
      const called = key === 'value' && typeof name === 'string' ? name : key;
      return [key, isSecret(called, own) ? HIDDEN : shown(own)];
    }),
  );
}

/** A line of a configuration file, or an argument such as `--password=…`. */
const shownLine = (line: string): string =>
  secretLine(line.replace(/^\s*--?(?=[A-Za-z])/, '')) === undefined
    ? line
    : line.replace(/([:=]\s*).*$/, `$1${HIDDEN}`);
