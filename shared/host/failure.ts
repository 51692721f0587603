/** Where in the user's files a message belongs. Lines and columns count from 1; `file` is relative to the workspace. */
export interface Location {
  readonly file: string;
  readonly line?: number;
  readonly endLine?: number;
  readonly column?: number;
}

/**
 * Something the user can mend: a wrong input, a missing file, a registry that refuses. The message is one sentence that names
 * what was given, what is accepted, and the nearest right answer. It is thrown where it is known and shown once, at the door.
 * Every other error is a fault of Slipway itself and is shown with its stack.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly location: Location | undefined;

  constructor(message: string, options: { location?: Location | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.location = options.location;
  }
}

/** The candidate closest to `given` by edit distance, or undefined when none is close enough to be a likely slip. */
export function nearest(given: string, candidates: Iterable<string>): string | undefined {
  const wanted = given.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?` for the nearest candidate, or the empty string. */
export function didYouMean(given: string, candidates: Iterable<string>): string {
  const best = nearest(given, candidates);
  return best === undefined ? '' : ` Did you mean "${best}"?`;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
