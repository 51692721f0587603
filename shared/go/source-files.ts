/** Which files of a package's folder the go command looks at (go/build, Context.matchFile), by their names alone. */

const EXTENSIONS = new Set(
  'go c cc cpp cxx m h hh hpp hxx f F for f90 s S sx swig swigcxx syso'.split(' ').map((name) => `.${name}`),
);

// internal/syslist: a list that is shorter than Go's makes a needless rebuild, never a wrong reuse.
const SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos'.split(
    ' ',
  ),
);
const ARCHITECTURES = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
);
const ALSO: Readonly<Record<string, string>> = { android: 'linux', illumos: 'solaris', ios: 'darwin' };

/** Whether a build of the package can depend on the file's content: tests, hidden files and documents do not count. */
export function isSourceFile(name: string): boolean {
  if (name.startsWith('_') || name.startsWith('.')) return false;
  const dot = name.lastIndexOf('.');
  return dot > 0 && EXTENSIONS.has(name.slice(dot)) && !name.endsWith('_test.go');
}

/**
 * Whether the name's ending, such as `_windows_amd64.go`, keeps the file out of a build for this system and architecture, whatever
 * it holds. `tags` are the build tags in force: a tag may be called as a system is.
 */
export function excludedByName(
  name: string,
  target: { readonly os: string; readonly arch: string },
  tags: readonly string[] = [],
): boolean {
  const words = name.split('.', 1)[0]!.split('_').slice(1);
  const last = words.at(-1);
  if (last === undefined) return false;
  const matches = (word: string) =>
    word === target.os || word === target.arch || word === ALSO[target.os] || tags.includes(word);
  const before = words.at(-2);
  if (before !== undefined && SYSTEMS.has(before) && ARCHITECTURES.has(last))
    return !(matches(before) && matches(last));
  return (SYSTEMS.has(last) || ARCHITECTURES.has(last)) && !matches(last);
}

/**
 * The start of a Go file up to its package clause, and the package's name: comments hold build constraints, so this part alone
 * decides whether the file makes its folder a main package. Undefined when there is no clause.
 */
export function packageClause(
  source: string,
): { readonly name: string; readonly header: string } | undefined {
  const match =
    /^\ufeff?(?:\s+|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*package\s+([\p{L}_][\p{L}\p{Nd}_]*)/u.exec(source);
  return match === null ? undefined : { name: match[1]!, header: match[0] };
}

const ABOUT_MODULES = new Set(['go.mod', 'go.sum', 'go.work', 'go.work.sum', 'modules.txt', 'default.pgo']);

/** Whether the go command may read a file of this name while it builds, though no source embeds it and no flag names it. */
export function isBuildInput(name: string): boolean {
  return isSourceFile(name) || ABOUT_MODULES.has(name);
}
