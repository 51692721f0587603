/** Lines around a change that are shown. */
const AROUND = 3;
/** Larger texts are not worked out line by line. */
const MOST_LINES = 4_000;

type Line = readonly [' ' | '-' | '+', string];

/** A unified diff of two texts, without its file headers: `@@ -1,3 +1,4 @@`, then lines that begin with ` `, `-` or `+`. */
export function lineDiff(before: string, after: string): readonly string[] {
  const a = before.split('\n');
  const b = after.split('\n');
  if (a.length + b.length > MOST_LINES) return [`@@ ${a.length} lines became ${b.length} @@`];
  return hunks(compare(a, b));
}

/** The lines of both, by their longest common subsequence. */
function compare(a: readonly string[], b: readonly string[]): Line[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const from = a.slice(start, a.length - end);
  const to = b.slice(start, b.length - end);
  const same = (line: string): Line => [' ', line];
  return [...a.slice(0, start).map(same), ...middle(from, to), ...a.slice(a.length - end).map(same)];
}

function middle(a: readonly string[], b: readonly string[]): Line[] {
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([' ', a[i]!]);
      i++;
      j++;
    } else if (
      i < a.length &&
      (j === b.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push(['-', a[i++]!]);
    } else lines.push(['+', b[j++]!]);
  }
  return lines;
}

function hunks(lines: readonly Line[]): string[] {
  const near = new Set<number>();
  for (const [index, [sign]] of lines.entries()) {
    if (sign === ' ') continue;
    for (let at = index - AROUND; at <= index + AROUND; at++) near.add(at);
  }
  const text: string[] = [];
  let hunk: Line[] = [];
  let [a, b] = [1, 1];
  const close = (): void => {
    if (hunk.length === 0) return;
    const inBefore = hunk.filter(([sign]) => sign !== '+').length;
    const inAfter = hunk.filter(([sign]) => sign !== '-').length;
    text.push(`@@ -${a - inBefore},${inBefore} +${b - inAfter},${inAfter} @@`);
    text.push(...hunk.map(([sign, line]) => sign + line));
    hunk = [];
  };
  for (const [index, line] of lines.entries()) {
    if (near.has(index)) hunk.push(line);
    else close();
    if (line[0] !== '+') a++;
    if (line[0] !== '-') b++;
  }
  close();
  return text;
}
