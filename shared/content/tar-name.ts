/**
 * A member's name as a relative path that stays below the folder it is unpacked into: `.`, empty and `..` parts resolved, no
 * trailing slash, the root itself as ``. undefined for a name that is absolute, climbs out with `..`, or holds a NUL. Links on
 * the way are another matter: whoever unpacks must not follow them.
 */
export function safeRelative(name: string): string | undefined {
  if (name.startsWith('/') || name.includes('\0')) return undefined;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}
