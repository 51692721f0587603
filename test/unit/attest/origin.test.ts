import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ATTESTATION_MANIFEST } from '../../../shared/attest/attach.ts';
import { Attester } from '../../../shared/attest/attest.ts';
import type { BuildFacts } from '../../../shared/attest/provenance.ts';
import { PredicateType } from '../../../shared/attest/statement.ts';
import { digestOf } from '../../../shared/content/index.ts';
import type { Task } from '../../../shared/host/index.ts';
import { type Layout, MediaType, openLayout } from '../../../shared/oci/index.ts';

const task: Task = { task: async (_, work) => await work(task), log: () => {}, note: () => {} };
const facts: BuildFacts = {
  mode: 'min',
  source: { repository: 'https://github.com/org/app', ref: undefined, commit: 'c0ffee', dirty: false },
  context: '.',
  dockerfile: 'Dockerfile',
  target: undefined,
  platforms: [],
  buildArgs: {},
  labels: {},
  contexts: {},
  bases: [],
  course: {},
  run: { builderId: undefined, invocationId: undefined, github: undefined },
};

async function putJson(layout: Layout, value: unknown, mediaType: string) {
  const bytes = Buffer.from(JSON.stringify(value));
  const blob = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await layout.put(blob, async function* () {
    yield bytes;
  });
  return blob;
}

/** An image without layers; its label makes it another one. */
async function putImage(layout: Layout, label: string) {
  const config = await putJson(
    layout,
    {
      os: 'linux',
      architecture: 'amd64',
      config: { Labels: { label } },
      rootfs: { type: 'layers', diff_ids: [] },
    },
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: [] };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { root: await layout.putManifest(bytes, MediaType.ociManifest, []), bytes };
}

/** What becomes of an image around the layers of one that was found, to which something is attached. */
async function attestAround(
  attached: { artifactType: string; annotations?: object; layer?: object },
  signs: boolean,
) {
  const layout = await openLayout(join(mkdtempSync(join(tmpdir(), 'slipway-origin-')), 'layout'));
  const found = await putImage(layout, 'found');
  const { artifactType, annotations, layer } = attached;
  const blob = await putJson(layout, {}, 'application/json');
  await layout.putReferrer!(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        artifactType,
        config: blob,
        layers: [{ ...blob, ...layer }],
        subject: found.root,
        annotations,
      }),
    ),
    MediaType.ociManifest,
  );
  let signed = 0;
  const attester = new Attester({
    facts: async () => facts,
    sbom: false,
    sign: signs
      ? async ({ predicateType }) => {
          signed += 1;
          return { predicateType, mediaType: BUNDLE, bundle: Buffer.from('{}') };
        }
      : undefined,
    names: ['registry.example/app'],
    epoch: 0,
    cache: mkdtempSync(join(tmpdir(), 'slipway-origin-cache-')),
  });
  const made = await putImage(layout, 'made');
  const around = { ...made, reused: false, layersFrom: { source: layout, image: found.root } };
  const { kind } = await attester.attest(around, layout, task);
  const own = (await attester.attest({ ...made, reused: false }, layout, task)).kind;
  return { kind, own, signed };
}

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const claim = {
  artifactType: BUNDLE,
  annotations: { 'dev.sigstore.bundle.predicateType': PredicateType.provenance },
};
const unsigned = {
  artifactType: ATTESTATION_MANIFEST,
  layer: { annotations: { 'in-toto.io/predicate-type': PredicateType.provenance } },
};

describe('an image around layers that were found', () => {
  it('is not signed for, whatever claims to be a signature of the image that they are from', async () => {
    expect(await attestAround(claim, true)).toEqual({ kind: 'unknown origin', own: 'attached', signed: 1 });
  });

  it('has provenance without a signature where that image has some', async () => {
    expect(await attestAround(unsigned, false)).toMatchObject({ kind: 'attached', own: 'attached' });
    const other = { artifactType: 'application/vnd.example' };
    expect(await attestAround(other, false)).toMatchObject({ kind: 'unknown origin', own: 'attached' });
  });
});
