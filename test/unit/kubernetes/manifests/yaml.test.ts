import { expect, it } from 'vitest';
import { readYaml } from '../../../../shared/kubernetes/manifests/yaml.ts';
import { placeOfFailure } from './failure.ts';

const read = (text: string) => readYaml(text, 'f.yaml').map(({ value }) => value);

// As "kubectl get -o yaml" and generators of CRDs write long texts.
it.each([
  [
    "a:\n  - b: 'one\n  it''s: two\n\n  three'\n    c: 1\n",
    [{ a: [{ b: "one it's: two\nthree", c: 1 }] }],
    6,
  ],
  ['a:\n  - b: "one\n\ttwo\\\n  \\"three"\n    c: 1\n', [{ a: [{ b: 'one two"three', c: 1 }] }], 5],
  ["x: |\n  'one\na:\n- b: 'one\n\n\nand'\n  c: 1\n", [{ x: "'one\n", a: [{ b: 'one\n\nand', c: 1 }] }], 8],
])('the lines of quoted text may begin far left: %j', (text, values, line) => {
  expect(read(text)).toEqual(values);
  expect(readYaml(text, 'f.yaml')[0]!.locate(['a', 0, 'c']).line).toBe(line);
});

it.each([
  ['a: 1\nb: 2\na: 3\n', { a: 3, b: 2 }, 'a', 3, 1],
  ['{"a": 1,\n "a": 2}', { a: 2 }, 'a', 2, 2],
  ['on: 1\ntrue: 2', { true: 2 }, 'true', 2, 1],
  ['a: &a\n  b: 1\n  b: 2\nc: *a\nd: {<<: *a}', { a: { b: 2 }, c: { b: 2 }, d: { b: 2 } }, 'b', 3, 3],
])('of a key that stands twice the last one counts: %j', (text, value, key, line, column) => {
  const [document] = readYaml(text, 'f.yaml');
  expect(document!.value).toEqual(value);
  expect(document!.repeated).toEqual([{ key, location: { file: 'f.yaml', line, column } }]);
});

// What kubectl makes of scalars is held by test/conformance/kubernetes.
it.each([
  ['', []],
  ['# nothing\n---\n---\n~', []],
  ['a: on\nb: "on"\nc: 0755\nd: 12:30\n', [{ a: true, b: 'on', c: 493, d: '12:30' }]],
  ['a: 1\n---\nb: 2\n...\n---\nc: 3', [{ a: 1 }, { b: 2 }, { c: 3 }]],
  ['{"a":1}{"a":2}\n\n[3]', [{ a: 1 }, { a: 2 }, [3]]],
  ['{"a":"}\\"{"}{"b":1}', [{ a: '}"{' }, { b: 1 }]],
  ['{"a": 1}\n---\nb: 2', [{ a: 1 }, { b: 2 }]],
  ['a: "{{ .Values.x }}"', [{ a: '{{ .Values.x }}' }]],
  ['__proto__: {a: 1}', [JSON.parse('{"__proto__": {"a": 1}}')]],
])('%j', (text, values) => expect(read(text)).toEqual(values));

it.each([
  ["a: 'one\n--- two'", "This is no YAML: Missing closing 'quote.", 1, 8],
  ['a: "one', 'This is no YAML: Missing closing "quote.', 1, 8],
  ['a: 1\n---\nb:\n\t- c', 'This is no YAML: Tabs are not allowed as indentation.', 4, 1],
  ['{"a": 1}\n{"b": ]}', 'This is no YAML: Flow map must end with a }.', 2, 7],
  ['a: *b', 'There is no anchor &b before this.', 1, 4],
  ['a: &a {b: *a}', 'The anchor &a holds itself.', 1, 11],
  ['a: &a {<<: *a}', 'The anchor &a holds itself.', 1, 12],
  ['<<: 1', 'After << stands a mapping, or a list of them.', 1, 5],
  ['? [a]\n: 1', 'A key is text; put it in quotes.', 1, 3],
  ['~: 1', 'A key is text; put it in quotes.', 1, 1],
  ['a: .inf', '.inf has no place in JSON; put it in quotes to make it text.', 1, 4],
  [
    'a: 9007199254740993',
    'This number is too large to be carried exactly; put it in quotes if it is text.',
    1,
    4,
  ],
  ['a: !!int secret', 'The text after !!int is no int.', 1, 10],
  ['a: !!binary "%"', 'The text after !!binary is no Base64.', 1, 13],
  [`a: ${'['.repeat(300)}${']'.repeat(300)}`, 'This is nested more than 200 deep.', 1, 204],
])('%j is refused at its place', (text, message, line, column) => {
  expect(placeOfFailure(() => read(text))).toEqual({ message, location: { file: 'f.yaml', line, column } });
});

it.each([
  ['image: {{ .Values.image }}', '{{ .Values.image }}', 1],
  ['a: 1\n{{- if .Values.b }}\nb: 1\n{{- end }}', '{{- if .Values.b }}', 2],
  ['# {{ not this }}\na:\n  - {{ include "x" . | nindent 4 }}', '{{ include "x" . | nindent 4 }}', 3],
])('%j is a template that nobody filled in', (text, template, line) => {
  const { message, location } = placeOfFailure(() => read(text));
  expect(message).toContain(`"${template}" was not filled in`);
  expect(location?.line).toBe(line);
});

it('an alias bomb is refused before it goes off', () => {
  const letters = [...'abcdefghijklmnop'];
  const list = (letter: string | undefined) =>
    Array(10)
      .fill(letter === undefined ? '1' : `*${letter}`)
      .join(', ');
  const bomb = letters.map((one, index) => `${one}: &${one} [${list(letters[index - 1])}]`).join('\n');
  const { message } = placeOfFailure(() => read(bomb));
  expect(message).toBe('The aliases of this document make more than 100000 values of it.');
});

it('knows the place of each field', () => {
  const text = [
    'base: &base', // 1
    '  image: a',
    '  env:',
    '    - name: X',
    'items:', // 5
    '  - <<: *base',
    '    name: one',
    '  - *base',
    '  - <<: [{name: two}, *base]',
    '---',
    'other: 1', // 11
  ].join('\n');
  const [first, second] = readYaml(text, 'f.yaml');
  const lineOf = (...path: (string | number)[]) => first!.locate(path).line;
  expect(first!.locate(['items', 0, 'name'])).toEqual({ file: 'f.yaml', line: 7, column: 5 });
  expect(lineOf()).toBe(1);
  expect(lineOf('items', 0, 'image')).toBe(2);
  expect(lineOf('items', 1, 'env', 0, 'name')).toBe(4);
  expect(lineOf('items', 2, 'name')).toBe(9);
  expect(lineOf('items', 2, 'env')).toBe(3);
  expect(lineOf('items', 1, 'nothing', 'here')).toBe(8);
  expect(lineOf('items', 7)).toBe(5);
  expect(second!.locate(['other']).line).toBe(11);
});

it('knows the place of fields in JSON that follows JSON', () => {
  const [, second] = readYaml('{"a": 1}\n{"b":\n {"c": 2}}', 'f.json');
  expect(second!.locate(['b', 'c'])).toEqual({ file: 'f.json', line: 3, column: 3 });
});
