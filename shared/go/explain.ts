import type { KeyDifference, KeyPart } from '../content/index.ts';

/** One phrase for why a program must be built: the first part of its key that differs from the last one's, in the user's words. */
export function explainDifferences(differences: readonly KeyDifference[]): string {
  const [first, ...rest] = [...differences].sort((a, b) => weight(a) - weight(b));
  if (first === undefined) return 'nothing changed';
  const files = rest.filter((one) => one.path[0] === 'files' || one.path[0] === 'modules').length;
  const more =
    rest.length === 0
      ? ''
      : `, and ${rest.length} more ${files === rest.length ? plural('file', files) : plural('difference', rest.length)}`;
  return `${phrase(first)}${more}`;
}

function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

// A new Go explains everything behind it; a changed file is the most common and the least surprising.
const ORDER = [
  'scheme',
  'go',
  'target',
  'package',
  'flags',
  'settings',
  'profile',
  'folders',
  'modules',
  'files',
  'vcs',
];

function weight(difference: KeyDifference): number {
  return ORDER.indexOf(difference.path[0]!);
}

function phrase({ path, before, after }: KeyDifference): string {
  const [kind, name = ''] = path;
  const change = `${show(before)} → ${show(after)}`;
  switch (kind) {
    case 'files':
    case 'modules':
      return before === undefined
        ? `${name} is new`
        : after === undefined
          ? `${name} is gone`
          : `${name} changed`;
    case 'flags':
      return `${name} changed: ${change}`;
    case 'settings':
      return `the environment's ${name} changed: ${change}`;
    case 'go':
      return `Go changed: ${change}`;
    case 'profile':
      return before === null
        ? 'there is a profile (PGO)'
        : after === null
          ? 'the profile (PGO) is gone'
          : 'the profile (PGO) changed';
    case 'vcs':
      return 'the commit that Go records in the program changed';
    case 'folders':
      return 'the folders changed, and they are part of the program without trimpath';
    case 'scheme':
      return 'this version of Slipway keys programs in another way';
    default:
      return `${path.join('.')} changed: ${change}`;
  }
}

function show(part: KeyPart | undefined): string {
  if (part === undefined || part === null || part === '') return 'none';
  if (Array.isArray(part))
    return part.length === 0 ? 'none' : part.map((one) => show(one as KeyPart)).join(',');
  return typeof part === 'string' ? part : JSON.stringify(part);
}
