import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, type TarMember } from '../../../shared/content/index.ts';
import {
  type Descriptor,
  type ImageConfig,
  MediaType,
  openLayout,
  parseConfig,
  parseDocument,
  provideBlob,
  RegistryClient,
  registryTarget,
  writeLayer,
} from '../../../shared/oci/index.ts';
import { labBin, labRoot } from '../place.ts';
import { account } from '../registry.ts';

/** What the lab's pods run (test/lab/kubernetes/program), also as a program of this machine: `load` is one of its modes. */
export const programFile = join(labBin, 'kubernetes-program');

/** An image of the program, as a layout that the images of the tests are derived from. */
export const programLayout = join(labRoot, 'kubernetes', 'program');

const TAG = 'program';

/** An image of the program that a test asks for. */
export interface ProgramImage {
  /** Below `lab/` in the registry; default: `program`. */
  readonly repository?: string;
  /** The tag, and what the program says in each answer. */
  readonly version: string;
  /** The mode, such as `crash`; default: `serve`. */
  readonly args?: readonly string[];
  /** See program/serve.go for what there is. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: linux on this machine's processor. */
  readonly architecture?: string;
}

/** Writes the layout: one layer with the program, accounts and /tmp. */
export async function writeProgramLayout(): Promise<void> {
  const target = await openLayout(programLayout);
  const { descriptor, diffId } = await writeLayer(await members(), { compression: 'gzip', level: 1, target });
  const config: ImageConfig = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { User: '65532:65532', WorkingDir: '/', Entrypoint: ['/program'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  };
  const stored = await target.stream(chunk(encode(config)));
  await target.putManifest(
    manifest({ mediaType: MediaType.ociConfig, ...stored }, descriptor),
    MediaType.ociManifest,
    [TAG],
  );
}

/** The same image under its two names. */
export interface PublishedImage {
  /** `HOST/lab/program:v1` */
  readonly tagged: string;
  /** `HOST/lab/program@sha256:…` */
  readonly pinned: string;
}

/** Publishes an image of the program. */
export async function publishProgram(
  host: string,
  { repository = 'program', version, args, env, architecture }: ProgramImage,
): Promise<PublishedImage> {
  const source = await openLayout(programLayout);
  const { bytes } = await source.manifest(TAG);
  const document = parseDocument(bytes, programLayout);
  if (document.kind !== 'image') throw new Error(`${programLayout} holds no image`);
  const { config: configBlob, layers } = document.manifest;
  const base = parseConfig(Buffer.concat(await Array.fromAsync(source.blob(configBlob))), programLayout);
  const config: ImageConfig = {
    ...base,
    architecture: architecture ?? base.architecture,
    config: {
      ...base.config,
      Env: Object.entries({ VERSION: version, ...env }).map(([name, value]) => `${name}=${value}`),
      ...(args !== undefined && { Cmd: args }),
    },
  };
  const content = encode(config);
  const descriptor = { mediaType: MediaType.ociConfig, digest: digestOf(content), size: content.length };
  const client = registryClient();
  try {
    const place = { registry: host, repository: `lab/${repository}` };
    const target = registryTarget(client, place);
    await provideBlob(source, target, layers[0]!);
    await target.put(descriptor, () => chunk(content));
    const { digest } = await target.putManifest(manifest(descriptor, layers[0]!), MediaType.ociManifest, [
      version,
    ]);
    const name = `${place.registry}/${place.repository}`;
    return { tagged: `${name}:${version}`, pinned: `${name}@${digest}` };
  } finally {
    client.close();
  }
}

/** The account is sent where a registry asks for it. */
function registryClient(): RegistryClient {
  return new RegistryClient({
    credentials: {
      origin: 'the lab',
      login: async () => ({ kind: 'password', username: account.user, password: account.password }),
    },
    secret: () => {},
  });
}

async function members(): Promise<readonly TarMember[]> {
  const owned = { uid: 0, gid: 0, mtime: 0, size: 0 } as const;
  const passwd = Buffer.from('root:x:0:0::/:/none\nnonroot:x:65532:65532::/:/none\n');
  const { size } = await stat(programFile);
  return [
    { entry: { ...owned, name: 'etc', type: 'directory', mode: 0o755 } },
    {
      entry: { ...owned, name: 'etc/passwd', type: 'file', mode: 0o644, size: passwd.length },
      content: () => chunk(passwd),
    },
    {
      entry: { ...owned, name: 'program', type: 'file', mode: 0o755, size },
      content: () => createReadStream(programFile),
    },
    { entry: { ...owned, name: 'tmp', type: 'directory', mode: 0o1777 } },
  ];
}

function manifest(config: Descriptor, layer: Descriptor): Buffer {
  return encode({ schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: [layer] });
}

const encode = (value: object) => Buffer.from(JSON.stringify(value));

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
