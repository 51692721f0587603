import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoProgramReader } from '../../../shared/attest/inventory/go-program.ts';
import { imageInventory } from '../../../shared/attest/inventory/image.ts';
import { type BuildFacts, provenance } from '../../../shared/attest/provenance.ts';
import { signStatement } from '../../../shared/attest/sign.ts';
import { spdxDocument } from '../../../shared/attest/spdx.ts';
import { PredicateType, statement, statementBytes, subjectsOf } from '../../../shared/attest/statement.ts';
import type { Digest } from '../../../shared/content/index.ts';
import { run } from '../../../shared/exec/index.ts';
import { parseReference } from '../../../shared/oci/index.ts';
import { act, buildkit, crane, describeWith, go } from '../../lab/index.ts';
import { identityToken, type SigstoreStandIn, sigstoreStandIn } from '../../lab/sigstore.ts';
import { oracle } from './oracle.ts';

const digest: Digest = `sha256:${'ab'.repeat(32)}`;
const hex = digest.slice('sha256:'.length);
const facts: BuildFacts = {
  mode: 'max',
  source: {
    repository: 'https://github.com/org/app',
    ref: 'refs/heads/main',
    commit: '0f'.repeat(20),
    dirty: true,
  },
  context: 'services/api',
  dockerfile: 'services/api/Dockerfile',
  target: 'prod',
  platforms: [{ os: 'linux', architecture: 'arm64', variant: 'v8' }],
  buildArgs: { VERSION: '1.2+dirty', EMPTY: '' },
  labels: { 'org.opencontainers.image.title': 'api' },
  contexts: { build: 'out' },
  bases: [
    { reference: parseReference('golang:1.26'), digest, platform: { os: 'linux', architecture: 'amd64' } },
    {
      reference: parseReference(`gcr.io/distroless/static@${digest}`),
      digest,
      platform: { os: 'linux', architecture: 'arm64' },
    },
  ],
  course: { compression: 'zstd', stages: [{ stage: 'build', how: 'builder' }] },
  run: {
    builderId: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main',
    invocationId: 'https://github.com/org/app/actions/runs/77/attempts/1',
    github: { event_name: 'push' },
  },
};

describeWith('the libraries of the standards', { oracle: await oracle() }, (have) => {
  const check = async (predicate: object, type: string) =>
    await have.oracle.ask(
      ['statement'],
      statementBytes(statement(subjectsOf(['ghcr.io/org/app'], [digest]), type, predicate)).toString(),
    );

  it.each(['min', 'max'] as const)('take our provenance of mode %s', async (mode) => {
    expect(await check(await provenance({ ...facts, mode }), PredicateType.provenance)).toEqual({ said: '' });
  });

  it('take the provenance of a build that nobody knows anything about', async () => {
    const unknown: BuildFacts = {
      ...facts,
      source: { repository: undefined, ref: undefined, commit: undefined, dirty: false },
      target: undefined,
      buildArgs: {},
      labels: {},
      contexts: {},
      bases: [],
      run: { builderId: undefined, invocationId: undefined, github: undefined },
    };
    expect(await check(await provenance(unknown), PredicateType.provenance)).toEqual({ said: '' });
  });

  it('refuse provenance that lacks its builder, or has a member of its own', async () => {
    const { buildDefinition, runDetails } = await provenance(facts);
    expect(await check({ buildDefinition }, PredicateType.provenance)).toHaveProperty('wrong');
    expect(await check({ buildDefinition, runDetails, more: 1 }, PredicateType.provenance)).toHaveProperty(
      'wrong',
    );
  });

  it('take our bill of materials', async () => {
    const path = process.execPath;
    const document = await spdxDocument(
      { digest, platform: { os: 'linux', architecture: 'amd64' }, epoch: 0 },
      imageInventory([
        {
          programs: [
            {
              path: '/bin/app',
              sha256: hex,
              info: {
                GoVersion: 'go1.26.8',
                Path: 'example.com/app/cmd/app',
                Main: { Path: 'example.com/app', Version: '(devel)' },
                Deps: [
                  { Path: 'github.com/Azure/go-autorest', Version: 'v14.2.0+incompatible', Sum: 'h1:AAAA=' },
                  {
                    Path: 'example.com/old',
                    Version: 'v1.0.0',
                    Replace: { Path: 'example.com/new', Version: 'v2.0.0' },
                  },
                  { Path: 'example.com/here', Version: 'v1.0.0', Replace: { Path: '../here' } },
                ],
                Settings: [{ Key: '-ldflags', Value: '-s -w' }],
              },
            },
          ],
          databases: {
            'etc/os-release': { kind: 'os-release', text: 'ID=debian\nVERSION_ID="12"\n' },
            'var/lib/dpkg/status.d/tzdata': {
              kind: 'dpkg-part',
              text: 'Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n',
            },
            'lib/apk/db/installed': { kind: 'apk', text: 'P:musl\nV:1.2.5-r9\nA:x86_64\nL:MIT\no:musl\n' },
          },
          paths: [path],
        },
      ]),
    );
    expect(await have.oracle.ask(['spdx'], JSON.stringify(document))).toEqual({ said: '' });
    const [first, ...others] = document.relationships;
    const broken = {
      ...document,
      relationships: [{ ...first!, relatedSpdxElement: 'SPDXRef-nowhere' }, ...others],
    };
    expect(await have.oracle.ask(['spdx'], JSON.stringify(broken))).toHaveProperty('wrong');
  });

  describe('and sigstore’s verifier in Go', () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-sigstore-'));
    const rootFile = join(folder, 'trusted-root.json');
    let services: SigstoreStandIn;
    beforeAll(async () => {
      services = await sigstoreStandIn();
      writeFileSync(rootFile, JSON.stringify(services.trustedRoot));
    });
    afterAll(async () => {
      await services[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });
    const name = 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main';
    const sign = async (log: boolean) =>
      await signStatement(
        statement(
          subjectsOf(['ghcr.io/org/app'], [digest]),
          PredicateType.provenance,
          await provenance(facts),
        ),
        {
          name: 'the stand-in',
          fulcio: services.fulcio,
          rekor: log ? services.rekor : undefined,
          timestamps: log ? undefined : services.timestamps,
        },
        identityToken({ sub: name }),
      );

    it.each([
      ['the log', true],
      ['a timestamp', false],
    ])('accepts what was signed with %s', async (_, log) => {
      const { bundle } = await sign(log);
      expect(await have.oracle.ask([log ? 'log' : 'time', rootFile, hex], bundle.toString())).toEqual({
        said: name,
      });
    });

    it('refuses it for another image', async () => {
      const { bundle } = await sign(true);
      expect(await have.oracle.ask(['log', rootFile, 'cd'.repeat(32)], bundle.toString())).toHaveProperty(
        'wrong',
      );
    });
  });
});

const [goTool, craneTool, actTool, kit] = await Promise.all([go(), crane(), act(), buildkit()]);

describeWith('what Go programs say of themselves', { go: goTool, crane: craneTool, act: actTool }, (have) => {
  const programs = [
    ...(craneTool.available ? [craneTool.program] : []),
    ...(actTool.available ? [actTool.program] : []),
    ...(kit.available ? [kit.buildctl] : []),
    ...(goTool.available ? [goTool.program] : []),
  ];

  it.each(programs)('is read from %s as go version reads it', async (program) => {
    const { stdout } = await run({ program: have.go.program, args: ['version', '-m', '-json', program] });
    const wanted = JSON.parse(stdout.toString());
    // The last makes the mark, the lengths and the strings fall apart everywhere.
    for (const highWaterMark of [1 << 20, 65_536, 4099]) {
      const reader = new GoProgramReader();
      for await (const chunk of createReadStream(program, { highWaterMark })) reader.push(chunk as Buffer);
      expect(reader.found?.GoVersion).toBe(wanted.GoVersion);
      expect(reader.found?.Path).toBe(wanted.Path ?? '');
      expect(reader.found?.Main.Path).toBe(wanted.Main.Path ?? '');
      expect(reader.found?.Deps ?? []).toEqual(wanted.Deps ?? []);
      expect(reader.found?.Settings).toEqual(wanted.Settings);
    }
  });

  it('is nothing for programs that are not of Go', async () => {
    const reader = new GoProgramReader();
    for await (const chunk of createReadStream(process.execPath)) reader.push(chunk as Buffer);
    expect(reader.found).toBeUndefined();
  });
});
