import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { baseImages, crane, describeWith, engine, freshRegistry, registry } from '../../lab/index.ts';
import { runAction } from '../../unit/image/host.ts';

const [bases, craneTool, lab, dockerEngine] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-many-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'checkout-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const parts = { bases, crane: craneTool, registry: lab, engine: dockerEngine };

describeWith('several images in one step', parts, (have) => {
  const before = { ...process.env };
  beforeAll(() =>
    Object.assign(process.env, have.engine.env, {
      PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
    }),
  );
  afterAll(() => {
    for (const name of ['PATH', ...Object.keys(have.engine.env)]) process.env[name] = before[name] ?? '';
  });
  const asked = async (...args: string[]) =>
    (await run({ program: have.crane.program, args })).stdout.toString().trim();
  const configOf = async (tag: string) => JSON.parse(await asked('config', tag)).config;

  it('are those of a bake file as buildx reads it: variables, inheritance, a matrix, a target as a base', async () => {
    await using target = await freshRegistry();
    const folder = write({
      'docker-bake.hcl': `
variable "VERSION" { default = "dev" }
variable "HOST" { default = "" }
group "default" { targets = ["api", "tool", "child"] }
target "_all" { labels = { version = VERSION } }
target "api" {
  inherits = ["_all"]
  context = "api"
  args = { GREETING = upper("hello") }
  tags = ["\${HOST}/api:\${VERSION}"]
}
target "tool" {
  name = "tool-\${one}"
  matrix = { one = ["x", "y"] }
  inherits = ["_all"]
  context = "."
  dockerfile = "tool.Dockerfile"
  args = { ONE = one }
  tags = ["\${HOST}/tool-\${one}:\${VERSION}"]
}
target "child" {
  inherits = ["_all"]
  contexts = { parent = "target:api" }
  dockerfile-inline = "FROM parent\\nCOPY extra /extra\\n"
  tags = ["\${HOST}/child:\${VERSION}"]
}
`,
      'api/Dockerfile': 'FROM scratch\nARG GREETING\nENV GREETING=$GREETING\nUSER 1\nCOPY file /file\n',
      'api/file': 'of the api\n',
      'tool.Dockerfile': 'FROM scratch\nARG ONE\nENV ONE=$ONE\nUSER 1\nCOPY api/file /tool\n',
      extra: 'of the child\n',
    });
    const inputs = {
      'bake-files': 'docker-bake.hcl',
      'bake-set': '*.labels.set=by-the-step',
      labels: 'added=by-the-step',
      push: 'true',
    };
    process.env.HOST = target.host;
    process.env.VERSION = '1.2';
    const host = await runAction(folder, inputs);
    const made = JSON.parse(host.outputs.images!);
    expect(Object.keys(made).sort()).toEqual(['api', 'child', 'tool-x', 'tool-y']);
    for (const name of ['api', 'child', 'tool-x', 'tool-y'])
      expect(await asked('digest', `${target.host}/${name}:1.2`)).toBe(made[name].digest);
    const api = await configOf(`${target.host}/api:1.2`);
    expect(api.Env).toContain('GREETING=HELLO');
    expect(api.Labels).toEqual({ version: '1.2', set: 'by-the-step', added: 'by-the-step' });
    expect((await configOf(`${target.host}/tool-y:1.2`)).Env).toContain('ONE=y');
    const child = JSON.parse(await asked('manifest', `${target.host}/child:1.2`));
    const parent = JSON.parse(await asked('manifest', `${target.host}/api:1.2`));
    expect(child.layers[0].digest).toBe(parent.layers[0].digest);
    expect(child.layers).toHaveLength(2);

    const again = JSON.parse((await runAction(folder, inputs)).outputs.images!);
    expect(Object.values(again).map((one) => (one as { reused: boolean }).reused)).toEqual(
      Array(4).fill(true),
    );
  });

  it('are the services of a compose file that are built', async () => {
    const folder = write({
      'compose.yml': `services:
  web:
    image: x.test/web:1
    build:
      context: web
      args: [NAME=web]
  db:
    image: postgres:17
`,
      'web/Dockerfile': 'FROM scratch\nARG NAME\nLABEL name=$NAME\nUSER 1\nCOPY file /file\n',
      'web/file': 'web\n',
    });
    const { outputs } = await runAction(folder, { 'bake-files': 'compose.yml' });
    expect(Object.keys(JSON.parse(outputs.images!))).toEqual(['web']);
    expect(JSON.parse(outputs.images!).web.reference).toMatch(/^x\.test\/web:1@sha256:/);
  });

  it('fetch a base that they share once', async () => {
    await using target = await freshRegistry();
    const base = `${target.host}/shared/base:1`;
    await run({ program: have.crane.program, args: ['copy', have.bases.references['alpine:3'], base] });
    const names = ['a', 'b', 'c'];
    const folder = write(
      Object.fromEntries(
        names.flatMap((name) => [
          [`${name}/Dockerfile`, `FROM ${base}\nUSER 1\nCOPY file /etc/${name}\n`],
          [`${name}/file`, name],
        ]),
      ),
    );
    const { requests } = await tracked(target.log, () =>
      runAction(folder, {
        images: names.map((name) => `${name}=${name}`).join('\n'),
        tags: `${target.host}/{name}:1`,
        push: 'true',
      }),
    );
    const layer = JSON.parse(await asked('manifest', base)).layers[0].digest;
    expect(requests.filter((one) => one === `GET shared/base/manifests/1`)).toHaveLength(1);
    expect(requests.filter((one) => one.startsWith(`GET`) && one.endsWith(layer)).length).toBeLessThan(2);
  });

  it('say what is wrong in a bake file in its own words', async () => {
    const folder = write({ 'docker-bake.hcl': 'target "a" { context = nothing }' });
    await expect(runAction(folder, { 'bake-files': 'docker-bake.hcl' })).rejects.toThrow(
      /docker-bake\.hcl: .*nothing/,
    );
  });
});

/** The requests that a registry answers during some work: method and path below /v2/. */
async function tracked<T>(
  log: string,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly requests: readonly string[] }> {
  const lines = () => readFileSync(log, 'utf8').split('\n');
  const start = lines().length - 1;
  const value = await work();
  const requests = lines()
    .slice(start)
    .flatMap((line) => {
      const told = line.includes('"response completed') ? JSON.parse(line) : undefined;
      return told === undefined
        ? []
        : [`${told['http.request.method']} ${told['http.request.uri'].slice(4)}`];
    });
  return { value, requests };
}
