import type { GlobQuestion, IgnoreQuestion, WordQuestion } from './ours.ts';

/** Random inputs that are the same in every run. */
export interface Random {
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  /** Text of up to `most` pieces. */
  text(pieces: readonly string[], most: number): string;
}

export function random(seed: number): Random {
  let state = seed;
  // Mulberry32.
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]) => from[below(from.length)]!;
  const text = (pieces: readonly string[], most: number) =>
    Array.from({ length: below(most) + 1 }, () => pick(pieces)).join('');
  return { below, pick, text };
}

/** Pieces that shell words are made of. */
const wordPieces = [
  '$',
  '{',
  '}',
  '$A',
  '${A}',
  '${B}',
  '${',
  ':-',
  ':+',
  ':?',
  '-',
  '+',
  '?',
  '#',
  '##',
  '%',
  '%%',
  '/',
  '//',
  ':',
  '*',
  '\\',
  '`',
  "'",
  '"',
  'a',
  'b',
  'ab',
  ' ',
  '\t',
  'é',
  '<<',
  '<',
  'EOF',
  '1',
  '_',
  '$_',
  '@',
  '.',
  '${A#a*}',
  '${A%%b*}',
  '${A/b/X}',
  '${A//?/y}',
  '${U:-w}',
  '${U-"q w"}',
  '${E:+z}',
  '${A:+z}',
  '\\$',
  '\\"',
  "\\'",
  '\u00a0',
  '日',
];

const linePieces = [
  'FROM a\n',
  'FROM a AS b\n',
  'RUN x\n',
  'RUN x \\\n',
  '  y \\\n',
  '# c\n',
  '  # c\n',
  '\n',
  ' \n',
  '\\\n',
  '\\ \n',
  '`\n',
  'RUN <<EOF\n',
  'EOF\n',
  'RUN <<-"E" cat <<F\n',
  '\tE\n',
  'F\n',
  'COPY <<a <<b /c\n',
  'a\n',
  'b\n',
  'COPY a b\n',
  'COPY --chown=1 --link ["a", "b c"]\n',
  'ENV a=b "c"=d\\ e\n',
  'ENV a b c\n',
  'LABEL x="y z" \\\n',
  'w=1\n',
  'ONBUILD RUN <<EOF\n',
  'CMD ["a"]\n',
  'CMD [a]\n',
  'RUN --mount=type=tmpfs,target=/a "--x" -- y\n',
  'ARG a="b c" d\n',
  'EXPOSE 1\t2\n',
  '#escape=`\n',
  '# syntax = x y\n',
  '#check=skip=all\n',
  'HEALTHCHECK --interval=5s CMD a\n',
  'HEALTHCHECK NONE\n',
  'user x\n',
  '\r\n',
  'RUN y\r\n',
  'RUN a \\\r\n',
  '\ufeff',
  'COPY é --from=é x\n',
  'COPY --from="b" \'a\' /d\n',
  'RUN a\\\\\n',
  'VOLUME ["/a"]\n',
  'SHELL ["a","b"]\n',
  'RUN 3<<EOF\n',
  'ADD <<EOF /\n',
  'STOPSIGNAL 9\n',
  'WORKDIR /a b\n',
];

/** Whole instructions, so that most files of many of them are valid. */
const wholePieces = [
  'RUN x \\\n  y \\\n# c\n  z\n',
  'RUN x \\\n\n y\n',
  'RUN x \\\n  # c\n\n',
  'RUN <<EOF\nEOF\n',
  'RUN <<EOF\n\ta\n# b\nEOF\n',
  'RUN <<-"E" cat <<F\n\tE\nx\nF\n',
  'COPY <<a <<b /c\nx\na\ny\nb\n',
  'ONBUILD RUN <<EOF\nx\nEOF\n',
  'RUN 3<<EOF\nEOF\n',
  'LABEL x="y z" \\\n  w=1\n',
  'FROM a AS b\n',
  '# b c\n',
  '#\n',
  '\n',
  'run y\r\n',
  'RUN a \\\r\n b\r\n',
  ...linePieces.filter(
    (piece) => /^[A-Z].*[^\\]\n$/.test(piece) && !piece.includes('<<') && !piece.includes('\\\n'),
  ),
];

export function randomDockerfile(from: Random): string {
  const head = from.below(3) === 0 ? from.text(linePieces, 3) : '';
  const body = from.text(from.below(3) === 0 ? linePieces : wholePieces, 9);
  return `${head}FROM scratch\n${body}`;
}

const pathPieces = [
  'a',
  'b',
  'ab',
  'abc',
  '/',
  '/',
  '.',
  '*',
  '**',
  '?',
  '[a-b]',
  '[^a]',
  '\\',
  '\\*',
  '!',
  'é',
  '-',
  '+',
  '(',
  '$',
  'a.go',
];
const plainPathPieces = ['a', 'b', 'ab', 'abc', 'a.go', 'é', '*', '-', '+', '(', '$', 'c'];

function randomPath(from: Random): string {
  return Array.from({ length: from.below(4) + 1 }, () => from.text(plainPathPieces, 2)).join('/');
}

const instructions = [
  'ENV A=1',
  'ENV A=$B B=${A:-x}y',
  'ENV PATH=$PATH:/x',
  'ENV C "q $A" D=\'$A\'',
  'ARG A',
  'ARG B=2',
  'ARG GLOBAL',
  'ARG TARGETARCH',
  'ARG BUILDPLATFORM TARGETPLATFORM=z',
  'ARG UNSET',
  'LABEL a=$A',
  'LABEL "b c"="$B"',
  'WORKDIR /w',
  'WORKDIR x/../y',
  'WORKDIR /',
  'WORKDIR $A',
  'WORKDIR /a/../b/',
  'USER 1:2',
  'USER $A',
  'EXPOSE 80',
  'EXPOSE 90/UDP 10-12',
  'EXPOSE $A',
  'EXPOSE 8${U:-1}',
  'VOLUME /v /$A',
  'VOLUME ["/x y"]',
  'CMD a $A',
  'CMD ["a", "\\u00e9\\n"]',
  'CMD []',
  'CMD',
  'ENTRYPOINT ["e"]',
  'ENTRYPOINT e f',
  'ENTRYPOINT []',
  'HEALTHCHECK CMD x',
  'HEALTHCHECK --interval=90s --timeout=1.5s --retries=3 CMD ["x"]',
  'HEALTHCHECK NONE',
  'STOPSIGNAL SIGTERM',
  'STOPSIGNAL 9',
  'SHELL ["bash", "-c"]',
  'MAINTAINER me',
  'RUN x $A',
  'RUN ["x", "$A"]',
  'RUN <<EOF\na\n$A\nEOF',
  'RUN <<-E\n\t#!/x\n\tE',
  'RUN a <<E && b\nx\nE',
  'RUN --mount=type=cache,target=$A/c,id=z x',
  'RUN --network=none --mount=from=s0,target=/m x',
  'COPY a b',
  'COPY --chown=$A:1 a* /d/',
  'COPY --link --chmod=0${B}44 a .',
  'COPY --from=s0 /a /b',
  'COPY --from=0 /a /b',
  'COPY --from=other /a /b',
  'COPY --exclude=*.$A --parents a/b/ ./',
  'COPY <<EOF /e\n$A "x"\nEOF',
  "COPY <<'EOF' $A\n$A\nEOF",
  'ADD a.tar /',
  'ADD --unpack=false --checksum= x /y/.',
  'ADD https://x.example/$A /z/',
  'ONBUILD ENV T=1',
  'ONBUILD COPY a $A',
  'COPY a ../b/',
  'COPY a ..',
];
const openings = [
  'FROM scratch',
  'FROM base',
  'FROM base:$TAG',
  'FROM --platform=$BUILDPLATFORM base',
  'FROM s0',
  'FROM s1',
  'FROM ${GLOBAL:-scratch}',
  'FROM --platform=linux/arm/v7 other',
];

/** Several stages of valid instructions, most of which go together. */
export function randomBuild(from: Random): string {
  const lines = from.below(2) === 0 ? ['ARG TAG=1', 'ARG GLOBAL'] : ['ARG GLOBAL=base TAG=$GLOBAL'];
  const stages = from.below(3) + 1;
  for (let stage = 0; stage < stages; stage++) {
    lines.push(`${stage === 0 ? from.pick(openings.slice(0, 4)) : from.pick(openings)} AS s${stage}`);
    for (let count = from.below(8); count > 0; count--) {
      const line = from.pick(instructions);
      // A stage that reads from itself is refused; once in a while is enough.
      if (stage > 0 || !/from=(s0|0)/.test(line) || from.below(10) === 0) lines.push(line);
    }
  }
  return `${lines.join('\n')}\n`;
}

export const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

export function randomWord(from: Random): WordQuestion {
  return {
    word: from.text(wordPieces, 7),
    escape: from.pick(['\\', '\\', '`'] as const),
    rawQuotes: from.below(4) === 0,
    rawEscapes: from.below(4) === 0,
    ignoreQuotes: from.below(5) === 0,
    keepUnset: from.below(4) === 0,
  };
}

export function randomIgnore(from: Random): IgnoreQuestion {
  const given = many(
    from.below(5) + 1,
    () => from.pick(['', '', '!', '# ', ' ', '/']) + from.text(pathPieces, 5),
  );
  const paths = many(12, () => randomPath(from));
  return from.below(2) === 0 ? { text: given.join('\n'), paths } : { patterns: given, paths };
}

export function randomGlob(from: Random): GlobQuestion {
  return { pattern: from.text(pathPieces, 5), paths: many(12, () => randomPath(from)) };
}

/** Patterns for which a regular expression would be too slow. */
export function randomStars(from: Random): IgnoreQuestion {
  const pieces = ['*', '**', '**/', '*/', 'a', 'b', '/', '?', '[ab]', '[^a]', '\\*'];
  const some = (count: number) => many(count, () => from.pick(pieces)).join('');
  const pattern = `a*${some(6)}*${some(4)}**`.replace(/\*{3,}/g, '**');
  const path = () => many(from.below(4) + 1, () => from.text(['a', 'b', 'ab', '*'], 3)).join('/');
  return { patterns: [pattern], paths: many(12, path) };
}

/** A tree of files below folders that have no file's name, and a file that ignores some of them and brings others back. */
export function randomTree(from: Random): IgnoreQuestion {
  const folder = () => from.pick(['a', 'b', 'cmd', 'docs']);
  const path = () => [...many(from.below(4), folder), from.pick(['x.go', 'y.md', 'z'])].join('/');
  const part = () => from.pick(['a', 'b', 'cmd', 'docs', '*', '**', '*.go', 'x.go', 'y.md', 'z', '?']);
  const line = () => from.pick(['', '', '!']) + many(from.below(3) + 1, part).join('/');
  return { text: many(from.below(4) + 1, line).join('\n'), paths: many(8, path) };
}
