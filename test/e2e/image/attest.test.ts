import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import type { Digest } from '../../../shared/content/index.ts';
import { run } from '../../../shared/exec/index.ts';
import { Failure, type Host, type RunContext, readInputs } from '../../../shared/host/index.ts';
import {
  type Descriptor,
  MediaType,
  openLayout,
  parseReference,
  RegistryClient,
} from '../../../shared/oci/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import { baseImages, buildx, crane, describeWith, engine, freshRegistry, registry } from '../../lab/index.ts';
import { identityToken, type SigstoreStandIn, sigstoreStandIn } from '../../lab/sigstore.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';
import { startProxy } from '../registry/proxy.ts';

const [bases, craneTool, lab, dockerEngine, buildxTool] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
  buildx(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-attest-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NAME = 'org/app/.github/workflows/release.yml@refs/heads/main';
const WORKFLOW: RunContext = {
  trusted: true,
  repository: 'org/app',
  workflow: {
    server: 'https://github.com',
    workflow: NAME,
    ref: 'refs/heads/main',
    event: 'push',
    runId: '77',
    attempt: '2',
    repositoryId: '1',
    ownerId: '2',
    runner: 'github-hosted',
    visibility: 'public',
  },
};
const PROVENANCE = 'https://slsa.dev/provenance/v1';
const SPDX = 'https://spdx.dev/Document';

type Inputs = Readonly<Record<string, string>>;

async function build(folder: string, inputs: Inputs, more: Partial<Host> = {}): Promise<MemoryHost> {
  const host = Object.assign(memoryHost(folder), more) as MemoryHost;
  await main(
    host,
    readInputs(definition, (name) => inputs[name]),
  );
  return host;
}

function client(): RegistryClient {
  return new RegistryClient({
    credentials: { origin: 'none', login: async () => ({ kind: 'anonymous' }) },
    secret: () => {},
  });
}

interface Artifact {
  readonly artifactType: string;
  readonly subject: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly digest: Digest;
  /** What the layers hold. */
  // biome-ignore lint/suspicious/noExplicitAny: documents of many shapes
  readonly contents: readonly any[];
}

/** What refers to an image, read by the client. */
async function referrers(reference: string, digest: string): Promise<Artifact[]> {
  const registries = client();
  const place = parseReference(reference);
  try {
    const listed = await registries.referrers(place, digest as Digest);
    return await Promise.all(
      listed.map(async ({ digest: own }) => {
        const { registry: host, repository } = place;
        const { bytes } = await registries.manifest({ registry: host, repository, digest: own });
        const manifest = JSON.parse(bytes.toString()) as Artifact;
        const contents = await Promise.all(
          manifest.layers.map(async (layer) => {
            const chunks: Buffer[] = [];
            for await (const chunk of registries.blob(place, layer)) chunks.push(chunk);
            return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
          }),
        );
        return { ...manifest, digest: own, contents };
      }),
    );
  } finally {
    registries.close();
  }
}

const statements = (artifacts: readonly Artifact[], type: string) =>
  artifacts.flatMap(({ contents }) => contents).filter((one) => one.predicateType === type);
const bundles = (artifacts: readonly Artifact[]) =>
  artifacts.filter(({ artifactType }) => artifactType.startsWith('application/vnd.dev.sigstore.bundle'));

describeWith('attestations that Slipway makes', { bases, crane: craneTool, registry: lab }, (have) => {
  let services: SigstoreStandIn;
  beforeAll(async () => {
    services = await sigstoreStandIn();
  });
  afterAll(() => services[Symbol.asyncDispose]());

  /** A program of Go whose modules are known is at hand: the lab's crane. */
  function project(name: string, dockerfile = 'COPY app /bin/app\nCOPY conf /conf\n'): string {
    const folder = mkdtempSync(join(root, `${name}-`));
    makeContext(folder, { 'conf/a': 'a\n' });
    copyFileSync(have.crane.program, join(folder, 'app'));
    const from = have.bases.references['gcr.io/distroless/static-debian12:nonroot'];
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${from}\n${dockerfile}`);
    return folder;
  }
  const tagOf = (name: string) => `${have.registry.host}/e2e/attest-${name}:1`;
  const asWorkflow = (more: Partial<RunContext> = {}): Partial<Host> => ({
    run: { ...WORKFLOW, ...more },
    identityToken: async () => identityToken({ sub: `https://github.com/${NAME}`, job_workflow_ref: NAME }),
  });
  const sigstore = () => `fulcio=${services.fulcio},rekor=${services.rekor}`;

  it('refer to the image, which stays what it is without them', async () => {
    const folder = project('plain');
    const without = await build(folder, { layout: 'out' });
    const tag = tagOf('plain');
    const inputs = { tags: tag, push: 'true', provenance: 'mode=max', sbom: 'true', 'build-args': 'WHO=me' };
    const done = await build(folder, inputs, { run: WORKFLOW });
    expect(done.outputs.digest).toBe(without.outputs.digest);
    const plan = JSON.parse(done.outputs.plan!);
    expect(plan).toMatchObject({ how: 'assembled', because: null });
    const found = await referrers(tag, done.outputs.digest!);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
      subject: { digest: done.outputs.digest },
    });
    const subject = [
      { name: tag.replace(/:1$/, ''), digest: { sha256: done.outputs.digest!.slice('sha256:'.length) } },
    ];
    const [provenance] = statements(found, PROVENANCE);
    expect(provenance).toMatchObject({ _type: 'https://in-toto.io/Statement/v1', subject });
    expect(provenance.predicate).toMatchObject({
      buildDefinition: {
        externalParameters: { dockerfile: 'Dockerfile', context: '.', buildArgs: { WHO: 'me' } },
        internalParameters: { github: { repository_id: '1' }, compression: 'gzip' },
      },
      runDetails: {
        builder: { id: `https://github.com/${NAME}` },
        metadata: { invocationId: 'https://github.com/org/app/actions/runs/77/attempts/2' },
      },
    });
    const { resolvedDependencies } = provenance.predicate.buildDefinition;
    const base = (
      await run({
        program: have.crane.program,
        args: ['digest', have.bases.references['gcr.io/distroless/static-debian12:nonroot']],
      })
    ).stdout
      .toString()
      .trim();
    expect(resolvedDependencies).toContainEqual(
      expect.objectContaining({ digest: { sha256: base.slice('sha256:'.length) } }),
    );
    const [sbom] = statements(found, SPDX);
    expect(sbom).toMatchObject({ subject });
    const names = sbom.predicate.packages.map(({ name }: { name: string }) => name);
    expect(names).toContain('github.com/google/go-containerregistry/cmd/crane');
    expect(names).toContain('std');
    const program = sbom.predicate.packages.find(
      (one: { packageFileName?: string }) => one.packageFileName === '/bin/app',
    );
    expect(program.checksums[0].checksumValue).toBe(
      createHash('sha256').update(readFileSync(have.crane.program)).digest('hex'),
    );
    expect(JSON.parse(done.outputs.attestations!)).toHaveLength(2);
  });

  it('are in the list that crane reads where the registry has none', async () => {
    const folder = project('list');
    const tag = tagOf('list');
    const { outputs } = await build(folder, { tags: tag, push: 'true', provenance: 'true' });
    const name = tag.replace(/:1$/, `:${outputs.digest!.replace(':', '-')}`);
    const { stdout } = await run({ program: have.crane.program, args: ['manifest', name] });
    const { manifests } = JSON.parse(stdout.toString());
    expect(manifests).toEqual([
      expect.objectContaining({ artifactType: 'application/vnd.docker.attestation.manifest.v1+json' }),
    ]);
    await run({ program: have.crane.program, args: ['validate', '--remote', tag] });
  });

  it('are there once, however often the same image is asked for, and nothing is made for it', async () => {
    const folder = project('again');
    const tag = tagOf('again');
    const inputs = { tags: tag, push: 'true', provenance: 'true', sbom: 'true' };
    const first = await build(folder, inputs);
    const before = await referrers(tag, first.outputs.digest!);
    const second = await build(project('again'), inputs, { run: WORKFLOW });
    expect(second.outputs).toMatchObject({
      reused: 'true',
      digest: first.outputs.digest,
      attestations: '[]',
    });
    expect(await referrers(tag, first.outputs.digest!)).toEqual(before);
  });

  it('are the same bytes from the same inputs, but for the run', async () => {
    const one = await build(project('same'), { layout: 'out', provenance: 'mode=max', sbom: 'true' });
    const two = await build(project('same'), { layout: 'out', provenance: 'mode=max', sbom: 'true' });
    const digests = (host: MemoryHost) =>
      JSON.parse(host.outputs.attestations!).map(({ digest }: { digest: string }) => digest);
    expect(digests(one)).toEqual(digests(two));
    expect(digests(one)).toHaveLength(2);
  });

  it('never vouch for an image that was found: it is made again, and then has provenance', async () => {
    const folder = project('unknown');
    const tag = tagOf('unknown');
    const first = await build(folder, { tags: tag, push: 'true' });
    const second = await build(project('unknown'), { tags: tag, push: 'true', provenance: 'true' });
    expect(second.outputs).toMatchObject({ reused: 'false', digest: first.outputs.digest });
    expect(statements(await referrers(tag, first.outputs.digest!), PROVENANCE)).toHaveLength(1);
  });

  it('of an image around the layers of another name that one, if somebody has said where it comes from', async () => {
    const provenanceOf = async (name: string, inputs: Inputs) => {
      const { outputs } = await build(project(name), { tags: tagOf(name), push: 'true', ...inputs });
      const found = statements(await referrers(tagOf(name), outputs.digest!), PROVENANCE);
      return {
        digest: outputs.digest!,
        uris: JSON.stringify(found[0]?.predicate.buildDefinition.resolvedDependencies),
      };
    };
    const labelled = { provenance: 'true', labels: 'revision=2' };
    const first = await provenanceOf('layers', { provenance: 'true' });
    const second = await provenanceOf('layers', labelled);
    expect(second.digest).not.toBe(first.digest);
    expect(second.uris).toContain(`pkg:oci/attest-layers@${first.digest}`);
    const unknown = await provenanceOf('layers-unknown', {});
    const made = await provenanceOf('layers-unknown', labelled);
    expect(made.digest).not.toBe(unknown.digest);
    expect(made.uris).not.toContain('pkg:oci/');
  });

  it('add what is missing of an image that was found', async () => {
    const tag = tagOf('missing');
    const first = await build(project('missing'), { tags: tag, push: 'true', provenance: 'true' });
    const second = await build(project('missing'), {
      tags: tag,
      push: 'true',
      provenance: 'true',
      sbom: 'true',
    });
    expect(second.outputs).toMatchObject({ reused: 'true', digest: first.outputs.digest });
    const found = await referrers(tag, first.outputs.digest!);
    expect(statements(found, PROVENANCE)).toHaveLength(1);
    expect(statements(found, SPDX)).toHaveLength(1);
  });

  it('speak of an index and of each of its platforms', async () => {
    const tag = tagOf('platforms');
    const { outputs } = await build(project('platforms'), {
      tags: tag,
      push: 'true',
      platforms: 'linux/amd64,linux/arm64',
      provenance: 'true',
      sbom: 'true',
    });
    const { stdout } = await run({ program: have.crane.program, args: ['manifest', tag] });
    const { manifests } = JSON.parse(stdout.toString()) as { manifests: readonly Descriptor[] };
    expect(manifests).toHaveLength(2);
    const all = [outputs.digest!, ...manifests.map(({ digest }) => digest)];
    for (const digest of all) {
      const [provenance] = statements(await referrers(tag, digest), PROVENANCE);
      expect(
        provenance.subject.map(({ digest: of }: { digest: { sha256: string } }) => `sha256:${of.sha256}`),
      ).toEqual(all);
    }
    for (const { digest } of manifests) {
      const [sbom] = statements(await referrers(tag, digest), SPDX);
      expect(sbom.subject).toEqual([
        expect.objectContaining({ digest: { sha256: digest.slice('sha256:'.length) } }),
      ]);
    }
    expect(statements(await referrers(tag, outputs.digest!), SPDX)).toEqual([]);
  });

  it('go into a layout, where they stay as long as their image', async () => {
    const folder = project('layout');
    const first = await build(folder, { layout: 'out', provenance: 'true' });
    const layout = await openLayout(join(folder, 'out'));
    expect(await layout.referrers(first.outputs.digest as Digest)).toHaveLength(1);
    await layout.collectGarbage(-1);
    expect(await layout.referrers(first.outputs.digest as Digest)).toHaveLength(1);
    await layout.untag(['latest']);
    await layout.collectGarbage(-1);
    expect(await layout.referrers(first.outputs.digest as Digest)).toEqual([]);
  });

  it('are signed where the job has an identity, once for all that they are attached to', async () => {
    const tag = tagOf('signed');
    services.seen.length = 0;
    const inputs = {
      tags: tag,
      push: 'true',
      platforms: 'linux/amd64,linux/arm64',
      provenance: 'true',
      sbom: 'true',
      sigstore: sigstore(),
    };
    const { outputs } = await build(project('signed'), inputs, asWorkflow());
    const [bundle] = bundles(await referrers(tag, outputs.digest!));
    expect(bundle).toMatchObject({
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': PROVENANCE,
      },
      layers: [{ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }],
    });
    expect(services.verify(bundle!.contents[0])).toBe(`https://github.com/${NAME}`);
    const said = JSON.parse(Buffer.from(bundle!.contents[0].dsseEnvelope.payload, 'base64').toString());
    expect(said.subject[0].digest.sha256).toBe(outputs.digest!.slice('sha256:'.length));
    expect(said.predicate.runDetails.builder.id).toBe(`https://github.com/${NAME}`);
    // Provenance, and a bill of materials for each of two platforms.
    expect(services.seen.filter((path) => path === '/api/v2/signingCert')).toHaveLength(3);
    const again = await build(project('signed'), inputs, asWorkflow());
    expect(again.outputs).toMatchObject({ reused: 'true', attestations: '[]' });
  });

  it('that are not signed are no reason to leave them so', async () => {
    const tag = tagOf('later');
    const inputs = { tags: tag, push: 'true', provenance: 'true', sigstore: sigstore() };
    const first = await build(project('later'), inputs);
    const second = await build(project('later'), inputs, asWorkflow());
    expect(second.outputs.digest).toBe(first.outputs.digest);
    expect(bundles(await referrers(tag, first.outputs.digest!))).toHaveLength(1);
  });

  it('come without a signature and with a warning where sigstore does not answer', async () => {
    const tag = tagOf('down');
    services.broken = 403;
    const inputs = { tags: tag, push: 'true', provenance: 'true', sigstore: sigstore() };
    const done = await build(project('down'), inputs, asWorkflow()).finally(() => {
      services.broken = undefined;
    });
    expect(done.annotations).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        message: expect.stringMatching(/^Cannot sign with .* is not signed\.$/),
      }),
    );
    const found = await referrers(tag, done.outputs.digest!);
    expect(bundles(found)).toEqual([]);
    expect(statements(found, PROVENANCE)).toHaveLength(1);
  });

  it('that have to be signed and cannot be leave no name behind', async () => {
    const tag = tagOf('must');
    services.broken = 403;
    const inputs = { tags: tag, push: 'true', provenance: 'true', sign: 'always', sigstore: sigstore() };
    const failure = await build(project('must'), inputs, asWorkflow())
      .catch((error: unknown) => error)
      .finally(() => {
        services.broken = undefined;
      });
    expect(failure).toBeInstanceOf(Failure);
    expect((failure as Failure).message).toMatch(/^Cannot sign with the sigstore instance at /);
    const registries = client();
    const tags = await registries.tags(parseReference(tag)).finally(() => registries.close());
    expect(tags.filter((one) => !one.startsWith('sha256-'))).toEqual([]);
  });

  it('that a registry refuses leave no name behind', async () => {
    await using proxy = await startProxy(have.registry.host, [
      { method: /PUT/, path: /\/manifests\/sha256-/, fault: { kind: 'answer', status: 403 } },
    ]);
    const tag = `${proxy.host}/e2e/attest-refused:1`;
    const failure = await build(project('refused'), { tags: tag, push: 'true', provenance: 'true' }).catch(
      (error: unknown) => error,
    );
    expect((failure as Failure).message).toMatch(/^Cannot push e2e\/attest-refused:sha256-.* answered 403/);
    const registries = client();
    expect(await registries.tags(parseReference(tag)).finally(() => registries.close())).toEqual([]);
  });

  it('are never signed by a run that carries foreign code', async () => {
    const tag = tagOf('foreign');
    const inputs = { tags: tag, push: 'true', provenance: 'true', sigstore: sigstore() };
    const foreign = asWorkflow({ trusted: false });
    const { outputs } = await build(project('foreign'), inputs, foreign);
    expect(bundles(await referrers(tag, outputs.digest!))).toEqual([]);
    await expect(build(project('foreign'), { ...inputs, sign: 'always' }, foreign)).rejects.toThrow(
      /^Input "sign" is always, and this run carries code that nobody has merged/,
    );
  });

  it('hold no secret, wherever somebody has put it', async () => {
    const folder = project('secret');
    const done = await build(folder, {
      layout: 'out',
      provenance: 'mode=max',
      secrets: 'token=hush-hush-hush',
      'build-args': 'URL=https://me:hush-hush-hush@example.com',
    });
    const layout = await openLayout(join(folder, 'out'));
    const [artifact] = await layout.referrers(done.outputs.digest as Digest);
    const { bytes } = await layout.manifest(artifact!.digest);
    const [layer] = (JSON.parse(bytes.toString()) as Artifact).layers;
    const text = readFileSync(join(folder, 'out/blobs', layer!.digest.replace(':', '/')), 'utf8');
    expect(text).toContain('https://me:***@example.com');
    expect(text).not.toContain('hush');
  });
});

describeWith('the list of what refers to an image', { registry: lab }, () => {
  const artifact = (subject: Descriptor, text: string) => {
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digest('{}'), size: 2 };
    return Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        artifactType: 'application/vnd.test',
        config: empty,
        layers: [empty],
        subject,
        annotations: { text },
      }),
    );
  };
  const digest = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`;

  it('loses nothing when several write at once', async () => {
    await using own = await freshRegistry();
    const place = { registry: own.host, repository: 'many/writers' };
    const subject: Descriptor = { mediaType: MediaType.ociManifest, digest: digest('image'), size: 5 };
    const writers = Array.from({ length: 5 }, client);
    async function* empty() {
      yield Buffer.from('{}');
    }
    await writers[0]!.put(place, { digest: digest('{}'), size: 2 }, empty);
    await Promise.all(
      writers.flatMap((writer, w) =>
        Array.from({ length: 4 }, async (_, i) => {
          const bytes = artifact(subject, `${w} ${i}`);
          await writer.putManifest(
            { ...place, digest: digest(bytes.toString()) },
            bytes,
            MediaType.ociManifest,
          );
        }),
      ),
    );
    const found = await writers[0]!.referrers(place, subject.digest);
    for (const writer of writers) writer.close();
    expect(found.map(({ annotations }) => annotations!.text).sort()).toEqual(
      Array.from({ length: 20 }, (_, n) => `${Math.floor(n / 4)} ${n % 4}`),
    );
  });
});

describeWith(
  'attestations and Docker',
  { bases, crane: craneTool, registry: lab, engine: dockerEngine },
  (have) => {
    const before = { ...process.env };
    beforeAll(() =>
      Object.assign(process.env, have.engine.env, {
        PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
      }),
    );
    afterAll(() => {
      for (const name of ['PATH', ...Object.keys(have.engine.env)]) process.env[name] = before[name] ?? '';
    });
    function project(name: string, dockerfile: string): string {
      const folder = mkdtempSync(join(root, `${name}-`));
      makeContext(folder, { 'conf/a': 'a\n' });
      writeFileSync(join(folder, 'Dockerfile'), `FROM ${have.bases.references['alpine:3']}\n${dockerfile}`);
      return folder;
    }

    it('work for an image that BuildKit makes in an engine with a graph driver', async () => {
      const tag = `${have.registry.host}/e2e/attest-engine:1`;
      const folder = project('engine', 'RUN echo hi > /hi\n');
      const { outputs } = await build(folder, {
        tags: tag,
        push: 'true',
        provenance: 'mode=max',
        sbom: 'true',
      });
      expect(JSON.parse(outputs.plan!).because).toMatch(/RUN needs a container$/);
      const found = await referrers(tag, outputs.digest!);
      expect(statements(found, SPDX)).toHaveLength(1);
      const [{ predicate }] = statements(found, PROVENANCE);
      expect(predicate.buildDefinition.resolvedDependencies).toContainEqual(
        expect.objectContaining({ uri: expect.stringContaining('alpine') }),
      );
    });
  },
);

describeWith('attestations and buildx imagetools', { bases, registry: lab, buildx: buildxTool }, (have) => {
  it('go into an index, which then shows them', async () => {
    const folder = mkdtempSync(join(root, 'imagetools-'));
    makeContext(folder, { 'conf/a': 'a\n' });
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${have.bases.references['alpine:3']}\nCOPY conf /conf\n`);
    const repository = `${have.registry.host}/e2e/attest-buildx`;
    await build(folder, { tags: `${repository}:1`, push: 'true', provenance: 'true', sbom: 'true' });
    const imagetools = async (...args: string[]) =>
      (await run({ program: have.buildx.program, args: ['imagetools', ...args] })).stdout.toString();
    await imagetools('create', '--tag', `${repository}:2`, `${repository}:1`);
    const show = async (what: string) =>
      JSON.parse(await imagetools('inspect', `${repository}:2`, '--format', `{{json .${what}}}`));
    expect((await show('Provenance')).SLSA).toMatchObject({
      buildDefinition: { externalParameters: { context: '.' } },
    });
    expect((await show('SBOM')).SPDX).toMatchObject({ spdxVersion: 'SPDX-2.3' });
  });
});
