import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Key, type KeyDifference, type KeyPart } from '../../content/index.ts';
import type { ImageRequest } from '../request.ts';

/** Parts of keys by what they are keys of; larger ones are not worth the time of writing them. */
const LARGEST = 8 * 2 ** 20;
const MOST_TOLD = 6;

function fileOf(request: ImageRequest): string | undefined {
  return request.state === undefined ? undefined : join(request.state, 'image-keys.json');
}

function nameOf({ dockerfile, target }: ImageRequest): string {
  return `${dockerfile} ${target ?? ''}`;
}

function load(file: string): Record<string, Record<string, KeyPart>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, KeyPart>>;
  } catch {
    return {}; // It only explains.
  }
}

/** What differs from the last image that was made from this Dockerfile, in words; undefined when none is known. */
export function explainKey(request: ImageRequest, key: Key): string[] | undefined {
  const file = fileOf(request);
  const before = file === undefined ? undefined : load(file)[nameOf(request)];
  return before === undefined ? undefined : explain(key.differences(Key.of(before)));
}

/** Keeps the parts of a key, so that the next plan can say what has changed. */
export function rememberKey(request: ImageRequest, key: Key): void {
  const file = fileOf(request);
  if (file === undefined) return;
  const known = load(file);
  const before = known[nameOf(request)];
  if (before !== undefined && Key.of(before).digest === key.digest) return;
  const text = JSON.stringify({ ...known, [nameOf(request)]: key.parts });
  if (text.length > LARGEST) return;
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch {
    // A checkout that cannot be written to gets no explanation at the next run.
  }
}

/** Differences in words, each once: platforms mostly share them. */
export function explain(differences: readonly KeyDifference[]): string[] {
  const all = [...new Set(differences.map(sentence))];
  const more = all.length - MOST_TOLD;
  return more > 1 ? [...all.slice(0, MOST_TOLD), `and ${more} more`] : all;
}

function sentence({ path, before, after }: KeyDifference): string {
  const [part, platform, what, layer, file] = path;
  if (part !== 'platforms') return change(path.join(' '), before, after);
  if (what === undefined) return `${platform} is ${before === undefined ? 'new' : 'no longer built'}`;
  if (what === 'base') return `the base ${change('', before, after)}`.replace('  ', ' ');
  if (what === 'configuration') return change(path.slice(3).join(' '), before, after);
  if (layer === undefined) return `the layers ${change('', before, after)}`;
  if (file === undefined)
    return before === undefined
      ? `${step(layer)} is new`
      : after === undefined
        ? `${step(layer)} is gone`
        : `${step(layer)} changed`;
  if (before === undefined) return `/${file} is new`;
  if (after === undefined) return `/${file} is gone`;
  return `/${file}: ${fields(String(before), String(after))} changed`;
}

/** Layers are named by their number and instruction. */
function step(name: string): string {
  return name.replace(/^\d+ /, '');
}

const FIELDS = ['type', 'mode', 'owner', 'content'];

function fields(before: string, after: string): string {
  const [old, now] = [before.split(' '), after.split(' ')];
  const changed = FIELDS.filter((_, index) => old[index] !== now[index]);
  return changed.length === 0 ? 'attributes' : changed.join(', ');
}

function change(name: string, before: KeyPart | undefined, after: KeyPart | undefined): string {
  if (before === undefined) return `${name} is new`.trim();
  if (after === undefined) return `${name} is gone`.trim();
  const [old, now] = [show(before), show(after)];
  return (
    old === undefined || now === undefined ? `${name} changed` : `${name} changed from ${old} to ${now}`
  ).trim();
}

function show(part: KeyPart): string | undefined {
  const text = typeof part === 'string' ? part : JSON.stringify(part);
  const short = text.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1');
  return short.length > 60 ? undefined : short;
}
