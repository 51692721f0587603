import { resolve } from 'node:path';
import { didYouMean, Failure } from '../../shared/host/index.ts';

/** Where an image goes beside its tags, in the words of `docker buildx build --output`. */
export type Output =
  | { readonly type: 'oci' | 'docker'; readonly file: string }
  | { readonly type: 'load' }
  | { readonly type: 'push'; readonly names: readonly string[] }
  | { readonly type: 'tar'; readonly file: string }
  | { readonly type: 'local'; readonly folder: string }
  | { readonly type: 'layout'; readonly folder: string };

const TYPES = ['oci', 'docker', 'registry', 'image', 'tar', 'local', 'cacheonly'];

/** Reads the lines of the input "outputs". A path alone stands for `type=local,dest=PATH`. */
export function parseOutputs(lines: readonly string[], workspace: string): Output[] {
  return lines.flatMap((line) => parseOutput(line, workspace) ?? []);
}

function parseOutput(line: string, workspace: string): Output | undefined {
  if (!line.includes('=')) return { type: 'local', folder: resolve(workspace, line) };
  const fields = readFields(line);
  const file = fields.dest === undefined ? undefined : resolve(workspace, fields.dest);
  const need = (): string => {
    if (file === undefined) throw new Failure(`Input "outputs" has "${line}", which lacks dest=PATH.`);
    return file;
  };
  switch (fields.type) {
    case 'oci':
      return fields.tar === 'false' ? { type: 'layout', folder: need() } : { type: 'oci', file: need() };
    case 'docker':
      return file === undefined ? { type: 'load' } : { type: 'docker', file };
    case 'registry':
      return { type: 'push', names: names(fields.name) };
    case 'image':
      return fields.push === 'true' ? { type: 'push', names: names(fields.name) } : undefined;
    case 'tar':
      return { type: 'tar', file: need() };
    case 'local':
      return { type: 'local', folder: need() };
    case 'cacheonly':
      return undefined;
    default:
      throw new Failure(
        `Input "outputs" has the type "${fields.type ?? ''}" in "${line}"; accepted are ${TYPES.join(', ')}.${didYouMean(fields.type ?? '', TYPES)}`,
      );
  }
}

const KNOWN = ['type', 'dest', 'name', 'push', 'tar'];

function readFields(line: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  // A value in quotes may hold commas: "name=a:1,b:2".
  for (const [, quoted, plain] of line.matchAll(/"((?:[^"]|"")*)"|([^,]+)/g)) {
    const field = (quoted ?? plain!).trim();
    const equals = field.indexOf('=');
    const key = field.slice(0, equals).toLowerCase();
    if (equals <= 0)
      throw new Failure(
        `Input "outputs" has "${field}" in "${line}"; accepted is key=value, separated by commas.`,
      );
    if (!KNOWN.includes(key))
      throw new Failure(
        `Input "outputs" has the key "${key}" in "${line}"; accepted are ${KNOWN.join(', ')}; compression and media types have inputs of their own.${didYouMean(key, KNOWN)}`,
      );
    fields[key] = field.slice(equals + 1);
  }
  return fields;
}

function names(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}
