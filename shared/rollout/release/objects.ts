/** The items of one set that are not in another. */
export function without<T>(items: readonly T[], others: Iterable<string>, key: (item: T) => string): T[] {
  const theirs = new Set(others);
  return items.filter((item) => !theirs.has(key(item)));
}
