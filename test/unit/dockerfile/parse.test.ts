import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../../shared/dockerfile/index.ts';
import { Failure } from '../../../shared/host/index.ts';

const parse = (text: string) => parseDockerfile(text, 'build/Dockerfile');

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('parseDockerfile', () => {
  it('splits a file into global arguments, stages and instructions with their lines', () => {
    const dockerfile = parse(
      'ARG V=1\n\nFROM golang:$V AS Build\nRUN a \\\n  b\n# why\nCOPY . .\nFROM --platform=$BUILDPLATFORM scratch\n',
    );
    expect(dockerfile.globalArgs.map((one) => one.rest)).toEqual(['V=1']);
    expect(
      dockerfile.stages.map(({ name, from, platform, lines }) => ({ name, from, platform, lines })),
    ).toEqual([
      { name: 'build', from: 'golang:$V', platform: undefined, lines: { start: 3, end: 7 } },
      { name: undefined, from: 'scratch', platform: '$BUILDPLATFORM', lines: { start: 8, end: 8 } },
    ]);
    const [run, copy] = dockerfile.stages[0]!.instructions;
    expect(run).toMatchObject({ keyword: 'RUN', rest: 'a   b', lines: { start: 4, end: 5 }, comments: [] });
    expect(copy).toMatchObject({ keyword: 'COPY', rest: '. .', comments: ['why'] });
  });

  it('takes flags apart, quotes removed', () => {
    const [copy] = parse('FROM scratch\nCOPY --link --chown="1:2" --from=a\\ b x y\n').stages[0]!
      .instructions;
    expect(copy!.flags).toEqual([
      { name: 'link', value: true },
      { name: 'chown', value: '1:2' },
      { name: 'from', value: 'a b' },
    ]);
    expect(copy!.rest).toBe('x y');
  });

  it('keeps comments and empty lines out of a continued instruction, and remembers the empty ones', () => {
    const dockerfile = parse('FROM scratch\nRUN a \\\n  # not this\n\n  b\n');
    expect(dockerfile.stages[0]!.instructions[0]!.rest).toBe('a   b');
    expect(dockerfile.emptyContinuations).toEqual([{ start: 2, end: 5 }]);
  });

  it('reads several heredocs of one line in their order', () => {
    const [copy] = parse('FROM scratch\nCOPY <<a <<-"b" /d/\n$x\na\n\t$y\n\tb\n').stages[0]!.instructions;
    expect(copy!.heredocs).toEqual([
      { name: 'a', content: '$x\n', expand: true, chomp: false, fileDescriptor: 0 },
      { name: 'b', content: '\t$y\n', expand: false, chomp: true, fileDescriptor: 0 },
    ]);
    expect(copy!.lines).toEqual({ start: 2, end: 6 });
  });

  it('leaves << to the shell where the command is in JSON form, and where it is no word of its own', () => {
    const [json, shift] = parse('FROM scratch\nRUN ["a", "<<EOF"]\nRUN echo $((1<<2))\n').stages[0]!
      .instructions;
    expect([json!.heredocs, shift!.heredocs]).toEqual([[], []]);
  });

  it('knows the other escape character, a byte order mark, Windows line ends and a backslash at the end', () => {
    const dockerfile = parse(
      '\ufeff# escape=`\r\n# syntax = docker/dockerfile:1 extra\r\nFROM scratch\r\nRUN a `\r\n b\r\nRUN c:\\d `',
    );
    expect(dockerfile.directives).toEqual({ escape: '`', syntax: 'docker/dockerfile:1' });
    expect(dockerfile.stages[0]!.instructions.map((one) => one.rest)).toEqual(['a  b', 'c:\\d']);
  });

  it('takes a directive behind anything else for a comment', () => {
    expect(parse('# hello\n# escape=`\nFROM scratch\n').directives).toEqual({ escape: '\\' });
    expect(parse('\n# escape=`\nFROM scratch\n').directives).toEqual({ escape: '\\' });
  });

  it('finds the syntax behind a shebang', () => {
    expect(parse('#!/usr/bin/env x\n# syntax=a/b\nFROM scratch\n').directives.syntax).toBe('a/b');
  });
});

describe('what is refused names the line, what was given and what is accepted', () => {
  const cases: readonly (readonly [string, number | undefined, RegExp])[] = [
    ['', undefined, /is empty; it needs at least one line such as FROM scratch/],
    ['# only\n', undefined, /has comments only/],
    ['ARG a\n', undefined, /has no FROM/],
    ['FROM scratch\nCOPPY a b\n', 2, /"COPPY" is no Dockerfile instruction\. Did you mean "COPY"\?/],
    ['RUN a\nFROM scratch\n', 1, /RUN stands before the first FROM/],
    ['FROM scratch\nCOPY --form=a b c\n', 2, /--form; accepted are .*--from.* Did you mean "--from"\?/],
    ['FROM scratch\nENV --x a=b\n', 2, /ENV takes no flags/],
    ['FROM scratch\nCOPY --link=no a b\n', 2, /--link is "no"; accepted are true and false/],
    ['FROM scratch\nCOPY --from=a --from=b c d\n', 2, /--from twice/],
    ['FROM scratch\n\nCOPY \\\n  a\n', 3, /COPY needs a source and a destination; given is "a"/],
    ['FROM a b\n', 1, /FROM takes an image, or an image and a name/],
    ['FROM a AS 1b\n', 1, /"1b" is no name for a stage/],
    ['FROM scratch\nRUN <<EOF\nx\n', 2, /The heredoc "EOF" is never closed/],
    ['FROM scratch\nCMD ["a", 1]\n', 2, /CMD: the JSON form takes strings only/],
    ['FROM scratch\nENV a\n', 2, /ENV needs a name and a value, such as ENV a=value/],
    ['FROM scratch\nENV a=b c\n', 2, /ENV has "c", which has no "="/],
    ['FROM scratch\nSHELL bash\n', 2, /SHELL takes the JSON form only/],
    ['FROM scratch\nHEALTHCHECK CDM x\n', 2, /accepted are NONE and CMD\. Did you mean "CMD"\?/],
    [
      'FROM scratch\nHEALTHCHECK --interval=5 CMD x\n',
      2,
      /--interval is "5"; accepted is a duration such as 30s/,
    ],
    ['FROM scratch\nRUN --network=hots x\n', 2, /accepted are default, none, host\. Did you mean "host"\?/],
    ['FROM scratch\nRUN --mount=from=$a,target=/b x\n', 2, /from takes no variables/],
    ['FROM scratch\nONBUILD FROM x\n', 2, /ONBUILD cannot be followed by FROM/],
    ['# escape=x\nFROM scratch\n', 1, /"escape" is "x"; accepted are \\ and `/],
    [`FROM scratch\nRUN ${'x'.repeat(70_000)}\n`, 2, /has 70005 bytes; accepted are at most 65535/],
  ];

  it.each(cases)('%j', (text, line, message) => {
    const failure = failureOf(() => parse(text));
    expect(failure.message).toMatch(message);
    expect(failure.location?.file).toBe('build/Dockerfile');
    expect(failure.location?.line).toBe(line);
  });
});
