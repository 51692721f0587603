export type Row = readonly string[];

/** A Markdown table with aligned columns; all but the first `texts` columns stand to the right, as numbers do. */
export function table(head: Row, rows: readonly Row[], texts = 1): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: Row) =>
    `| ${row.map((cell, column) => (column < texts ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Seconds with the digits that mean something. */
export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000;
  return value.toFixed(value < 1 ? 3 : value < 10 ? 2 : 1);
}

export const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e5 ? 3 : 1);
