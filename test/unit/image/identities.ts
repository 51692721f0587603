import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOf } from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import type { StageIdentity } from '../../../shared/image/identity/identity.ts';
import {
  type ImagePlan,
  type ImageRequest,
  planImage,
  type ResolveImage,
} from '../../../shared/image/index.ts';
import type { ContainerConfig, Descriptor, ResolvedImage } from '../../../shared/oci/index.ts';
import { type Context, makeContext } from '../../conformance/image/context.ts';
import { requestFor } from '../../conformance/image/native.ts';

/** Bases by reference: what decides about their digest, and their configuration. */
export type Bases = Readonly<Record<string, { readonly version: string; readonly config?: ContainerConfig }>>;

export interface Project {
  readonly dockerfile: string;
  readonly files?: Context;
  readonly bases?: Bases;
  readonly request?: Partial<ImageRequest>;
  readonly folder?: string;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

export const NOW = Date.UTC(2026, 10, 24);

/** The plan of a project in a folder of its own, whose bases have no layer that could be read. */
export async function planOf(project: Project): Promise<ImagePlan> {
  const folder = project.folder ?? mkdtempSync(join(tmpdir(), 'slipway-identity-'));
  mkdirSync(folder, { recursive: true });
  makeContext(folder, project.files ?? {});
  writeFileSync(join(folder, 'Dockerfile'), project.dockerfile);
  const request = requestFor(folder, project.request);
  return await planImage(
    request,
    imagesOf(project.bases ?? {}),
    join(folder, '.tmp'),
    () => project.now ?? NOW,
  );
}

export async function stageOf(project: Project, name: string | number): Promise<StageIdentity> {
  const { identity } = await planOf(project);
  return identity.platforms[0]!.stages.find(({ stage }) => stage.name === name || stage.index === name)!;
}

/** The digest of the key of a stage; throws where it has none, so that nothing is compared with nothing. */
export async function keyOf(project: Project, name: string | number): Promise<Digest> {
  const { key, unkeyed } = await stageOf(project, name);
  if (key === undefined) throw new Error(`stage ${name} has no key: ${unkeyed?.reason}`);
  return key.digest;
}

function imagesOf(bases: Bases): ResolveImage {
  return async (reference) => {
    const base = bases[reference];
    if (base === undefined) throw new Failure(`${reference} is not there.`);
    return imageOf(reference, base);
  };
}

function imageOf(reference: string, { version, config = {} }: Bases[string]): ResolvedImage {
  const digest = digestOf(`${reference} ${version} ${JSON.stringify(config)}`);
  const descriptor: Descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 };
  const refuse = () => {
    throw new Error('a layer of a base is read');
  };
  return {
    source: { name: reference, manifest: refuse, blob: refuse },
    descriptor,
    root: descriptor,
    index: undefined,
    manifest: { schemaVersion: 2, config: descriptor, layers: [{ ...descriptor, size: 100 }] },
    manifestBytes: Buffer.alloc(0),
    config: {
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [digest] },
    },
    configBytes: Buffer.alloc(0),
  };
}
