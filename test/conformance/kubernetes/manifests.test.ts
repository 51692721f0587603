import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { formatManifests, type KubeObject, readManifests } from '../../../shared/kubernetes/index.ts';
import { readYaml } from '../../../shared/kubernetes/manifests/yaml.ts';
import { describeWith, kubectl } from '../../lab/index.ts';

const STOREFRONT = join(import.meta.dirname, '../../../examples/storefront');

const SCALARS = `
  yes on off no y n Y N Yes ON True TRUE tRUE false null Null ~ nul 0755 0o17 0O17 0x1F 0X1f 0b11 0B11 -0b11 -0x1F +12 -017
  089 08 00 0 -0 -0.0 1_000 1__0 1_ 0_1 0x_1 0b_1 _1 1e3 1E3 1e+3 1.e1 1. .5 -.5 +.5 .5e ._1 .1_0 ._ . .. 1.0 1.10 1e400
  1e-7 1e20 1e21 123456.789e3 1.7976931348623157e308 1.5e300 0.1 12:30 190:20:30 2026-01-01 2026-1-1 2026-13-01
  2001-12-14t21:59:43.10-05:00 2026-01-01T00:00:00Z 0x 0b2 0o8 0xg + - -- 1-2 1.2.3 1e 1e+ e1 0x1.8p1 1_0.5 1i 0i
  12345678901234567890 100000000000000000000 -9223372036854775809 9007199254740991 -9007199254740991 <<x =
  .infx nan NaN inf Inf +inf "12" 'on'
`
  .trim()
  .split(/\s+/);

const TAGGED = [
  '!!str 12',
  '!!str on',
  '! 12',
  '!foo 12',
  '!!int "12"',
  '!!float 1',
  '!!float 0x10',
  '!!bool "on"',
];
TAGGED.push(
  '!!null ""',
  '!!null',
  '!!binary aGVsbG8=',
  '!!timestamp 2026-01-01',
  '!!str',
  '!!int 0b1',
  '!!bool y',
);

/** The same texts on every run. */
function* madeUp(count: number): Generator<string> {
  const letters = '0011234567899..__+-eExXobBOtT:yYnNf~';
  let state = 20261124;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let made = 0; made < count; made++)
    yield Array.from({ length: 1 + next(7) }, () => letters[next(letters.length)]).join('');
}

/** What JSON and JavaScript cannot carry, and what is no plain scalar but YAML: covered by the unit tests. */
const carried = (text: string) =>
  !/^[-+]?\.(?:inf|nan)$/i.test(text) && !/:$|^-$|^-*$|^\?$/.test(text) && !text.startsWith('- ');

const DOCUMENTS: Readonly<Record<string, string>> = {
  'anchors and merges': `
  base: &base {x: 1, z: 2}
  before: {x: 3, <<: *base}
  after: {<<: *base, x: 3}
  list: {<<: [*base, {x: 9, w: 4}]}
  nested: {<<: {<<: *base, v: 5}}
  twice: {<<: *base, <<: {x: 7}}
  quoted: {"<<": 1}
  again: &base {x: 10}
  other: *base`,
  keys: `
  on: a
  1: b
  1.50: c
  0x10: d
  2026-01-01: e
  12345678901: f
  1e3: g
  0.1: h
  3.14159265358979: i
  ~x: j
  "y": k
  ? long
  : l`,
  blocks: `
  literal: |
    a
      b

    c
  folded: >
    a
    b

    c
     d
  strip: |-
    a

  keep: |+
    a

  indented: |2
      a
  plain: a
    b

    c
  quoted: "a
    b\\n\\
    c"
  single: 'it''s
    so'`,
  flow: `
  a: {b: [1, two, {c: on}], d: , "e":f, g}
  h: [a: 1, b]
  i: [
    1, # one
    2,
  ]
  j: {}
  k: []`,
  escapes: `
  a: "\\u00e9\\x41\\t\\"\\\\\\e\\0\\N\\_"
  c: a#b
  d: a #b
  e: "a: b"
  f: a:b
  g: http://x
  é: ü`,
  lists: `
  a:
  - 1
  - - 2
    - 3
  - b: 4
    c: 5
  -
  - ~`,
};

describeWith('manifests, beside kubectl', { kubectl: kubectl() }, (have) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-manifests-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const env = { HOME: '/nonexistent', KUBECONFIG: '/nonexistent' };

  /** What kubectl reads, without a cluster: it puts a label on each object and prints it. */
  async function kubectlReads(text: string): Promise<unknown[]> {
    const file = join(folder, 'given.yaml');
    writeFileSync(file, text);
    const args = ['label', '--local', '--output=json', `--filename=${file}`, 'slipway-test=read'];
    const { stdout } = await run({ program: have.kubectl.program, args, env });
    const printed = stdout.toString().replaceAll(/^\}\n\{$/gm, '},{');
    return (JSON.parse(`[${printed}]`) as { metadata: { labels?: Record<string, string> } }[]).map(
      (object) => {
        delete object.metadata.labels!['slipway-test'];
        if (Object.keys(object.metadata.labels!).length === 0) delete object.metadata.labels;
        return object;
      },
    );
  }

  const weRead = (text: string) => readYaml(text, 'given.yaml').map(({ value }) => value);
  const configMap = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:${data}\n`;
  const listed = (scalars: readonly string[]) =>
    configMap(scalars.map((one, index) => `\n  k${index}: ${one}`).join(''));

  /** What differs, as a table: scalar, kubectl's value, ours. */
  async function differences(scalars: readonly string[]): Promise<unknown[]> {
    const [theirs] = (await kubectlReads(listed(scalars))) as { data: Record<string, unknown> }[];
    const [ours] = weRead(listed(scalars)) as { data: Record<string, unknown> }[];
    return scalars.flatMap((one, index) => {
      const [a, b] = [theirs!.data[`k${index}`], ours!.data[`k${index}`]];
      return JSON.stringify(a) === JSON.stringify(b) ? [] : [[one, a, b]];
    });
  }

  it('scalars that other readers of YAML take for something else', async () => {
    expect(SCALARS.length).toBeGreaterThan(100);
    expect(await differences(SCALARS.filter(carried))).toEqual([]);
  });

  it('scalars with tags', async () => expect(await differences(TAGGED)).toEqual([]));

  it('two thousand scalars that nobody thought of', async () => {
    const scalars = [...madeUp(2_000)].filter(carried);
    expect(scalars.length).toBeGreaterThan(1_800);
    expect(await differences(scalars)).toEqual([]);
  });

  it.each(Object.entries(DOCUMENTS))('%s', async (_, data) => {
    expect(weRead(configMap(data))).toEqual(await kubectlReads(configMap(data)));
  });

  it.each([
    ['documents', `# first\n---\n${configMap(' {a: b}')}---\n---\n# none\n--- # c\n${configMap(' {c: d}')}`],
    [
      'carriage returns and a byte order mark',
      `\uFEFF${configMap('\n  a: |\n    b\n    c')}`.replaceAll('\n', '\r\n'),
    ],
    [
      'JSON',
      '{\n\t"apiVersion": "v1", "kind": "ConfigMap",\n\t"metadata": {"name": "x"}, "data": {"a": "\\u00e9\\/\\ud83d\\ude00"}\n}',
    ],
  ])('%s', async (_, text) => {
    expect(weRead(text)).toEqual(await kubectlReads(text));
  });

  it('what we write kubectl reads back', async () => {
    const texts = [
      ...SCALARS,
      ...madeUp(500),
      '',
      ' a',
      'a ',
      'a\nb',
      '\n',
      '- a',
      '# a',
      'a: b',
      '\t',
      '{{ x }}',
      '"',
      "'",
    ];
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', annotations: Object.fromEntries(texts.map((one, at) => [`a${at}`, one])) },
      data: Object.fromEntries(texts.map((one, at) => [`k${at}`, one])),
      keys: Object.fromEntries(texts.map((one) => [one, one])),
      numbers: [1, -1.5, 1e21, 0, true, false, null, [], {}],
    };
    const text = formatManifests([object, object]);
    expect(await kubectlReads(text)).toEqual([object, object]);
    expect(weRead(text)).toEqual([object, object]);
  });

  it("storefront's kustomization is rendered as by kubectl, and found in its files", async () => {
    const manifests = await readManifests(['deploy'], {
      workspace: STOREFRONT,
      stdin: async () => '',
      env: { ...env, PATH: dirname(have.kubectl.program) },
      signal: new AbortController().signal,
    });
    const rendered = await run({
      program: have.kubectl.program,
      args: ['kustomize', 'deploy'],
      cwd: STOREFRONT,
      env,
    });
    expect(manifests.map(({ object }) => object)).toEqual(await kubectlReads(rendered.stdout.toString()));
    const places = manifests.map(({ object, locate }) => [object.kind, locate(['metadata', 'name'])?.file]);
    expect(places).toContainEqual(['Deployment', 'deploy/deployment.yaml']);
    expect(places.map(([, file]) => file)).not.toContain(undefined);
  });
});
