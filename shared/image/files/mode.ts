import { Failure } from '../../host/index.ts';

/** What `--chmod` asks for: the same bits for everything, or changes relative to what each file has. */
export type Chmod =
  | { readonly kind: 'octal'; readonly bits: number }
  | { readonly kind: 'symbolic'; readonly apply: (mode: number, isDirectory: boolean) => number };

type Operator = '+' | '-' | '=';
type Change = (mode: number, original: number, isDirectory: boolean) => number;

const SET_ID = 0o6000;
const STICKY = 0o1000;
const STANDARD = SET_ID | 0o777;
const ANY_EXECUTE = 0o111;

const OF: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o007, a: STANDARD };

/**
 * Reads `--chmod`: octal digits up to 7777, or the symbolic form of chmod(1) with no umask, such as `u=rwX,go=rX`, as BuildKit
 * does since Dockerfile 1.14 (BSD's setmode(3)).
 */
export function parseChmod(text: string): Chmod {
  if (/^[0-9]/.test(text)) {
    if (!/^[0-7]+$/.test(text) || Number.parseInt(text, 8) > 0o7777) throw wrong(text);
    return { kind: 'octal', bits: Number.parseInt(text, 8) };
  }
  const changes = text.split(',').flatMap((clause) => parseClause(clause, text));
  return {
    kind: 'symbolic',
    apply: (mode, isDirectory) => changes.reduce((now, change) => change(now, mode, isDirectory), mode),
  };
}

function wrong(text: string): Failure {
  return new Failure(
    `--chmod=${text} is no file mode; accepted are octal digits from 0 to 7777, such as 0755, and symbolic modes, such as u=rwX,go=rX.`,
  );
}

function parseClause(clause: string, text: string): Change[] {
  const match = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause);
  if (match === null) throw wrong(text);
  const who = [...match[1]!].reduce((bits, letter) => bits | OF[letter]!, 0);
  return [...match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g)].flatMap(([, operator, letters]) =>
    action(who, operator as Operator, letters!),
  );
}

function action(who: number, operator: Operator, letters: string): Change[] {
  const { bits, scope } = permissionBits(who, operator === '-' ? letters.replaceAll('X', 'x') : letters);
  const affected = scope === 0 ? STANDARD | STICKY : scope;
  const cleared = scope === 0 ? STANDARD : scope;
  const conditional = letters.includes('X') && operator !== '-' ? ANY_EXECUTE & affected : 0;
  const changes: Change[] = [];
  // "g=u" takes the three bits over and leaves the set-id bit alone; "g=r" clears it.
  if (operator === '=' && !/^[ugo]+$/.test(letters)) changes.push((mode) => mode & ~cleared);
  changes.push((mode) => (operator === '-' ? mode & ~(bits & affected) : mode | (bits & affected)));
  if (conditional !== 0)
    changes.push((mode, original, isDirectory) =>
      isDirectory || (original & ANY_EXECUTE) !== 0 ? mode | conditional : mode,
    );
  for (const from of letters.match(/[ugo]/g) ?? []) changes.push(copyClass(who, operator, from));
  return changes;
}

function permissionBits(who: number, letters: string): { readonly bits: number; readonly scope: number } {
  // "o" alone has neither a set-id bit nor a sticky bit of its own.
  const special = who === 0 || (who & ~0o007) !== 0;
  let bits = 0;
  let scope = who & ~STICKY;
  for (const letter of letters) {
    if (letter === 'r') bits |= 0o444;
    if (letter === 'w') bits |= 0o222;
    if (letter === 'x') bits |= 0o111;
    if (letter === 's' && special) bits |= SET_ID;
    if (letter === 't' && special) {
      bits |= STICKY;
      scope |= STICKY;
    }
  }
  return { bits, scope };
}

const SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

function copyClass(who: number, operator: Operator, from: string): Change {
  const classes = ['u', 'g', 'o'].filter((name) => who === 0 || (who & (0o7 << SHIFT[name]!)) !== 0);
  return (mode) => {
    const value = (mode >> SHIFT[from]!) & 0o7;
    return classes.reduce((now, name) => {
      const shift = SHIFT[name]!;
      if (operator === '-') return now & ~(value << shift);
      return (operator === '=' ? now & ~(0o7 << shift) : now) | (value << shift);
    }, mode);
  };
}
