import { describe, expect, it } from 'vitest';
import { editDockerfile, isWritten, parseDockerfile } from '../../../shared/dockerfile/index.ts';

const file = (source: string) => parseDockerfile(source, 'Dockerfile');
const behindMount = (nth: number) => ({ flag: 'mount', nth });

describe('text added to instructions in place', () => {
  it.each([
    ['RUN --mount=type=cache,target=/x go build', 'RUN --mount=type=cache,target=/x+ go build'],
    ['run  --mount=type=cache,target=/x  go', 'run  --mount=type=cache,target=/x+  go'],
    ['RUN --mount="type=cache,target=/a b" go', 'RUN --mount="type=cache,target=/a b"+ go'],
    ['RUN --network=none --mount=a=b --mount=c=d x', 'RUN --network=none --mount=a=b+ --mount=c=d x'],
    ['RUN --mount=type=cache,target=/ü go ü', 'RUN --mount=type=cache,target=/ü+ go ü'],
    ['RUN \\\n  --mount=type=cache,target=/x \\\n  go', 'RUN \\\n  --mount=type=cache,target=/x+ \\\n  go'],
    ['RUN \\\n# why\n\n --mount=a=b\\\n  && c', 'RUN \\\n# why\n\n --mount=a=b+\\\n  && c'],
    ['RUN --mount=type=cache,\\\ntarget=/x go', 'RUN --mount=type=cache,\\\ntarget=/x+ go'],
    ['RUN --mount=a=b <<EOF\nRUN --mount=a=b\nEOF', 'RUN --mount=a=b+ <<EOF\nRUN --mount=a=b\nEOF'],
    ['RUN --mount=a=b x\r', 'RUN --mount=a=b+ x\r'],
  ])('%j', (given, wanted) => {
    for (const head of ['FROM a\n', '\ufeffFROM a\n', '# syntax=docker/dockerfile:1\nFROM a\n\n\n']) {
      const line = head.split('\n').length;
      const source = file(`${head}${given.replaceAll(/=(a=b|c=d)/g, '=type=cache,target=/$1')}`);
      const edited = editDockerfile(source, [{ line, behind: behindMount(0), text: '+' }]);
      expect(edited).toBe(head + wanted.replaceAll(/=(a=b|c=d)/g, '=type=cache,target=/$1'));
    }
  });

  it('knows another escape character', () => {
    const source = file('# escape=`\nFROM a\nRUN `\n --mount=type=cache,target=/x `\n y');
    expect(editDockerfile(source, [{ line: 3, behind: behindMount(0), text: '+' }])).toBe(
      '# escape=`\nFROM a\nRUN `\n --mount=type=cache,target=/x+ `\n y',
    );
  });

  it('takes several edits, of one line too, in their order', () => {
    const source = file('FROM a  \nRUN --mount=type=cache,target=/x --mount=type=cache,target=/y z\n');
    const edits = [
      { line: 2, behind: behindMount(1), text: '2' },
      { line: 1, behind: 'end', text: ' AS b' },
      { line: 2, behind: behindMount(0), text: '1' },
      { line: 2, behind: 'keyword', text: ' --first' },
      { line: 2, behind: 'keyword', text: ' --second' },
    ] as const;
    expect(editDockerfile(source, edits)).toBe(
      'FROM a AS b  \nRUN --first --second --mount=type=cache,target=/x1 --mount=type=cache,target=/y2 z\n',
    );
  });

  it('refuses what is not there, and knows what is written in the file', () => {
    const source = file('FROM a\nRUN x\nCOPY a b\n');
    expect(() => editDockerfile(source, [{ line: 2, behind: behindMount(0), text: '' }])).toThrow('--mount');
    expect(() => editDockerfile(source, [{ line: 9, behind: 'end', text: '' }])).toThrow('line 9');
    expect(isWritten(source, { start: 2, end: 2 }, 'RUN')).toBe(true);
    expect(isWritten(source, { start: 1, end: 1 }, 'RUN')).toBe(false);
    expect(isWritten(source, { start: 3, end: 3 }, 'RUN')).toBe(false);
  });
});
