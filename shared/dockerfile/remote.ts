/**
 * Whether ADD takes a source for a git repository: `git@host:path`, `git://…`, `ssh://…`, or an http URL whose path ends in .git
 * (BuildKit, dfgitutil.ParseGitRef).
 */
export function isGitReference(source: string): boolean {
  if (/^\.\.?\//.test(source)) return false;
  if (/^(?:git|ssh):\/\//i.test(source)) return true;
  if (/^https?:\/\//i.test(source)) return /^[a-z]+:\/\/[^/?#]*\/[^?#]*\.git(?:[?#]|$)/i.test(source);
  return /^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:.+/s.test(source);
}

export function isHttpUrl(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitReference(source);
}
