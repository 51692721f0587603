import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../../../shared/host/index.ts';
import { runAction } from './host.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-bad-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const environment = { ...process.env };
afterEach(() => {
  for (const name of ['PATH', 'DOCKER_HOST', 'SOURCE_DATE_EPOCH']) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

interface Bad {
  readonly name: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly dockerfile?: string;
  readonly prepare?: (folder: string) => void;
  readonly says: RegExp;
  /** Line of the Dockerfile that the message belongs to. */
  readonly line?: number;
}

const scratch = 'FROM scratch\nCOPY a.txt /\nUSER 1\n';
const staged = 'FROM golang:1.26 AS build\nRUN go build\nFROM scratch\nCOPY --from=build /app /app\n';

/** Each is one mistake; the sentence says what was given and what would be right. */
const mistakes: readonly Bad[] = [
  {
    name: 'a context that is not there',
    inputs: { context: 'none' },
    says: /^The build context none does not exist\.$/,
  },
  {
    name: 'a context that is a file',
    inputs: { context: 'a.txt' },
    says: /^The build context a\.txt is a file; accepted is a folder\.$/,
  },
  {
    name: 'a context that is an address',
    inputs: { context: 'https://github.com/o/r.git' },
    says: /^Input "context" is "https:.*check the repository out first/,
  },
  {
    name: 'a Dockerfile that is not there',
    inputs: { file: 'Dockerfil' },
    says: /^There is no Dockerfile at Dockerfil; name another with the input "file"\.$/,
  },
  {
    name: 'a Dockerfile that is a folder',
    inputs: { file: 'folder' },
    prepare: (folder) => mkdirSync(join(folder, 'folder')),
    says: /^folder is a folder; the input "file" takes a Dockerfile\.$/,
  },
  { name: 'an empty Dockerfile', dockerfile: '\n# nothing\n', says: /Dockerfile/ },
  {
    name: 'an unknown instruction',
    dockerfile: 'FROM scratch\nCOPPY a.txt /\n',
    says: /COPPY.*COPY/s,
    line: 2,
  },
  {
    name: 'a target that is no stage',
    inputs: { target: 'biuld' },
    dockerfile: staged,
    says: /^The target "biuld" is no stage.*Did you mean "build"\?$/,
  },
  {
    name: 'stages in a circle',
    dockerfile: 'FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=a /x /\n',
    says: /circle|behind it/,
  },
  { name: 'a bad reference', dockerfile: 'FROM org/Upper\n', says: /org\/Upper/, line: 1 },
  {
    name: 'an unknown platform',
    inputs: { platforms: 'linux/amd46' },
    says: /^Input "platforms": .*"amd46".*Did you mean "amd64"\?$/,
  },
  {
    name: 'a stage to hand in that is not there',
    inputs: { stages: 'biuld=.' },
    dockerfile: staged,
    says: /^The stage "biuld" that is handed in is not in Dockerfile; its stages are build\. Did you mean "build"\?$/,
  },
  {
    name: 'a stage to hand in by its number',
    inputs: { stages: '0=.' },
    dockerfile: staged,
    says: /^The stage that is handed in is called by its number, 0; accepted is its name, here "build"\.$/,
    line: 1,
  },
  {
    name: 'a stage to hand in that has no name',
    inputs: { stages: '1=.' },
    dockerfile: staged,
    says: /^The stage that is handed in is called by its number, 1; accepted is its name, which this one has not: write FROM … AS name\.$/,
    line: 3,
  },
  {
    name: 'a folder to hand in that is not there',
    inputs: { stages: 'build=made/{arch}', platforms: 'linux/arm64' },
    dockerfile: staged,
    says: /^The folder made\/arm64, handed in for the stage "build", does not exist\.$/,
  },
  {
    name: 'a file to hand in',
    inputs: { stages: 'build=a.txt' },
    dockerfile: staged,
    says: /^a\.txt, handed in for the stage "build", is a file; accepted is a folder/,
  },
  {
    name: 'a folder to hand in without the file that is copied',
    inputs: { stages: 'build=.' },
    dockerfile: staged,
    says: /^COPY \/app \/app: \/app is not there\.$/,
    line: 4,
  },
  {
    name: 'an unknown word in a folder',
    inputs: { stages: 'build={archi}' },
    dockerfile: staged,
    says: /^Input "stages" has \{archi\}.*\{os\}, \{arch\}/,
  },
  {
    name: 'a stage without a folder',
    inputs: { stages: 'build' },
    says: /^Input "stages" has the line "build"; accepted is name=value/,
  },
  {
    name: 'a label without a value',
    inputs: { labels: 'just words' },
    says: /^Input "labels" has the line "just words"/,
  },
  {
    name: 'a build argument without a name',
    inputs: { 'build-args': '=x' },
    says: /^Input "build-args" has the line "=x"/,
  },
  {
    name: 'an annotation without a value',
    inputs: { annotations: 'index:a' },
    says: /^Input "annotations": "index:a" is no annotation/,
  },
  {
    name: 'an annotation for an unknown place',
    inputs: { annotations: 'manifst:a=b' },
    says: /^Input "annotations": .*"manifst".*Did you mean "manifest"\?$/,
  },
  {
    name: 'an annotation for a platform that is not built',
    inputs: { annotations: 'manifest[linux/s390x]:a=b', platforms: 'linux/amd64' },
    says: /linux\/s390x, which is not built; built are linux\/amd64\.$/,
  },
  {
    name: 'an index annotation of one platform',
    inputs: { annotations: 'index:a=b' },
    says: /^The annotation "a" is for an index, and an image of one platform has none/,
  },
  {
    name: 'Docker media types with zstd',
    inputs: { 'media-types': 'docker', compression: 'zstd' },
    says: /^Docker media types know gzip alone/,
  },
  {
    name: 'an unknown compression',
    inputs: { compression: 'gz' },
    says: /^Input "compression" is "gz"; accepted are gzip, zstd, none\./,
  },
  {
    name: 'a level that the compression has not',
    inputs: { 'compression-level': '10' },
    says: /^Input "compression-level" is 10; gzip takes 1 to 9\.$/,
  },
  {
    name: 'a level without a compression',
    inputs: { compression: 'none', 'compression-level': '1' },
    says: /has no meaning with compression: none/,
  },
  {
    name: 'a time that is none',
    inputs: { 'source-date-epoch': '1.5' },
    says: /^Input "source-date-epoch" is "1\.5"; accepted are whole seconds/,
  },
  {
    name: 'a time of the environment that is none',
    prepare: () => Object.assign(process.env, { SOURCE_DATE_EPOCH: 'now' }),
    says: /^The variable SOURCE_DATE_EPOCH is "now"/,
  },
  {
    name: 'an unknown output',
    inputs: { outputs: 'type=oic,dest=x' },
    says: /^Input "outputs" has the type "oic".*Did you mean "oci"\?$/,
  },
  {
    name: 'an output that goes nowhere',
    inputs: { outputs: 'type=oci' },
    says: /^Input "outputs" has "type=oci", which lacks dest=PATH\.$/,
  },
  {
    name: 'an output with an unknown key',
    inputs: { outputs: 'type=oci,dest=x,compresion=zstd' },
    says: /^Input "outputs" has the key "compresion"/,
  },
  {
    name: 'one archive for two platforms',
    inputs: { outputs: 'type=docker,dest=x.tar', platforms: 'linux/amd64,linux/arm64' },
    says: /^The output type=docker holds one platform/,
  },
  {
    name: 'push to nowhere',
    inputs: { push: 'true' },
    says: /^Input "push" is true and "tags" names no place/,
  },
  {
    name: 'a tag with a digest',
    inputs: { tags: `a@sha256:${'0'.repeat(64)}` },
    says: /^Input "tags" has .*cannot hold a digest/,
  },
  { name: 'a tag that is no reference', inputs: { tags: 'ghcr.io/Org/app:1' }, says: /ghcr\.io\/Org\/app:1/ },
  {
    name: 'a secret without a name',
    inputs: { secrets: 'just-a-value' },
    says: /^Input "secrets": entry 1 is no secret; accepted is id=value/,
  },
  {
    name: 'a secret with an open quote',
    inputs: { secrets: 'a=b\n"c=d' },
    says: /^Input "secrets": entry 2 opens a quote that is never closed\.$/,
  },
  {
    name: 'an unknown lint rule',
    inputs: { 'lint-levels': 'rot-user=off' },
    says: /^Input "lint-levels" has .*Did you mean "root-user"\?$/,
  },
  {
    name: 'an unknown lint level',
    inputs: { 'lint-levels': 'root-user=warn' },
    says: /^Input "lint-levels" has "root-user=warn"; accepted is rule=level with a level of error/,
  },
  {
    name: 'a lint finding of the level error',
    inputs: { 'lint-levels': 'root-user=error' },
    dockerfile: 'FROM scratch\nCOPY a.txt /\n',
    says: /^Dockerfile breaks a rule of the level "error": root-user\./,
  },
  {
    name: 'a file that is not in the context',
    dockerfile: 'FROM scratch\n\nCOPY b.txt /\n',
    says: /^COPY b\.txt \/: \/b\.txt is not there\.$/,
    line: 3,
  },
  {
    name: 'a path that leaves the context',
    dockerfile: 'FROM scratch\nCOPY ../secret /\n',
    prepare: (folder) => writeFileSync(join(folder, '..', 'secret'), 's'),
    says: /\/secret is not there\.$/,
    line: 2,
  },
  {
    name: 'a link that leaves the context',
    dockerfile: 'FROM scratch\nCOPY link /\n',
    prepare: (folder) => symlinkSync('/etc/passwd', join(folder, 'link')),
    says: /\/link is not there\.$/,
    line: 2,
  },
  {
    name: 'an owner with a name on scratch',
    dockerfile: 'FROM scratch\nCOPY --chown=app a.txt /\n',
    says: /"app" is a name, and this step has no file system/,
    line: 2,
  },
  {
    name: 'a mode that is none',
    dockerfile: 'FROM scratch\nCOPY --chmod=rwx a.txt /\n',
    says: /chmod.*rwx/,
    line: 2,
  },
  {
    name: 'an archive that leaves its folder',
    dockerfile: 'FROM scratch\nADD x.tar /x/\n',
    prepare: (folder) => execFileSync('tar', ['-cPf', join(folder, 'x.tar'), '-C', folder, '../bad-member']),
    says: /"\.\.\/bad-member", which lies outside/,
    line: 2,
  },
  {
    name: 'a registry that does not answer',
    dockerfile: 'FROM 127.0.0.1:1/base:1\nCOPY a.txt /\n',
    says: /127\.0\.0\.1:1/,
    line: 1,
  },
  {
    name: 'no Docker for a stage with RUN',
    dockerfile: staged,
    prepare: () => Object.assign(process.env, { PATH: '/nonexistent' }),
    says: /^The stage "build" has to be run \(Dockerfile, line 2\), and there is no builder: docker is not installed\. Hand its files in with stages: NAME=FOLDER, or make a builder reachable/,
  },
  ...[
    [{ attests: 'type=provenance' }, 'type=provenance'],
    [{ sbom: 'generator=example.com/scanner' }, 'type=sbom,generator=example.com/scanner'],
  ].map(([inputs, attest]) => ({
    name: `${attest} from an engine that has no place for it`,
    inputs: inputs as Record<string, string>,
    prepare: graphDriver,
    says: new RegExp(
      `^The attestation ${attest} of BuildKit’s is asked for \\(input "attests", or "sbom" with a generator\\), and an engine that keeps images in a graph driver has no place for it; provenance: true and sbom: true need none, or use a builder with the docker-container or remote driver`,
    ),
  })),
  ...(
    [
      [{ provenance: 'mode=most' }, /^Input "provenance" has the mode "most"; accepted are min and max\.$/],
      [
        { provenance: 'version=v0.2' },
        /^Input "provenance" asks for version v0\.2; ours is SLSA v1\. .*attests: type=provenance,version=v0\.2\.$/,
      ],
      [{ provenance: 'mod=max' }, /^Input "provenance" has "mod=max"; .* Did you mean "mode"\?/],
      [{ sbom: 'yes' }, /^Input "sbom" is "yes"; accepted are true, false and generator=IMAGE\.$/],
      [{ sign: 'always' }, /^Input "sign" is always, and there is nothing to sign; /],
      [
        { sign: 'always', sbom: 'true' },
        /^Input "sign" is always, and this run has no identity .* id-token: write\.$/,
      ],
      [
        { sigstore: 'mine' },
        /^Input "sigstore" is "mine"; accepted are auto, public, github, and fulcio=URL/,
      ],
      [{ sigstore: 'fulcio=https://ca.example' }, /^Input "sigstore" is .*needs proof of its time/],
    ] as const
  ).map(([inputs, says]) => ({
    name: `attestations with ${JSON.stringify(inputs)}`,
    inputs: inputs as Record<string, string>,
    says,
  })),
  {
    name: 'several platforms from an engine that makes one',
    inputs: { platforms: 'linux/amd64,linux/arm64', attests: 'type=sbom' },
    prepare: graphDriver,
    says: /^Input "platforms" asks for linux\/amd64, linux\/arm64, and the engine’s own builder makes one at a time/,
  },
  {
    name: 'no engine to load into',
    inputs: { load: 'true', tags: 'a:1' },
    prepare: () => Object.assign(process.env, { DOCKER_HOST: 'unix:///nonexistent/docker.sock' }),
    says: /^The image cannot be loaded: no Docker engine answers .* Start Docker, or leave the input "load" off\.$/,
  },
  { name: 'a layout that is a file', inputs: { layout: 'a.txt' }, says: /a\.txt/ },
  {
    name: 'a layout whose index is none',
    inputs: { layout: 'broken' },
    prepare: (folder) => {
      mkdirSync(join(folder, 'broken'));
      writeFileSync(join(folder, 'broken/index.json'), '{"a');
    },
    says: /broken\/index\.json/,
  },
];

/** A `docker` whose builder is that of an engine with a graph driver, and which must never be asked to build. */
function graphDriver(folder: string): void {
  const answers =
    'inspect) echo "Driver:    docker";; --format) echo "[]";; *) echo asked to build >&2; exit 9;;';
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\ncase $2 in ${answers} esac\n`, { mode: 0o755 });
  process.env.PATH = `${folder}:/bin:/usr/bin`;
}

describe('every mistake is one sentence, and nothing is half done', () => {
  writeFileSync(join(root, 'bad-member'), 'x');
  it.each(mistakes)('$name', async ({ inputs = {}, dockerfile = scratch, prepare, says, line }) => {
    const folder = mkdtempSync(join(root, 'case-'));
    writeFileSync(join(folder, 'a.txt'), 'a');
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    prepare?.(folder);
    const failure = await runAction(folder, inputs).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    const { message, location } = failure as Failure;
    expect(message).toMatch(says);
    expect(message).not.toContain('\n');
    if (line !== undefined) expect(location).toMatchObject({ file: 'Dockerfile', line });
    const index = join(folder, '.slipway/images/index.json');
    if (existsSync(index)) expect(JSON.parse(readFileSync(index, 'utf8')).manifests).toEqual([]);
  });

  it('a run that was cancelled before it began', async () => {
    const folder = mkdtempSync(join(root, 'case-'));
    writeFileSync(join(folder, 'a.txt'), 'a');
    writeFileSync(join(folder, 'Dockerfile'), scratch);
    await expect(runAction(folder, {}, AbortSignal.abort())).rejects.toThrow();
    const index = join(folder, '.slipway/images/index.json');
    expect(existsSync(index) && JSON.parse(readFileSync(index, 'utf8')).manifests.length > 0).toBe(false);
  });
});
