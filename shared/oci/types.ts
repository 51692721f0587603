import type { Digest } from '../content/index.ts';

/** OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  readonly data?: string;
}

/** OCI image-spec, image-index.md#image-index-property-descriptions, with Go's names for systems and processors. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

/** OCI image-spec, manifest.md; Docker's schema 2 has the same shape. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** OCI image-spec, image-index.md; Docker's manifest list has the same shape. */
export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** OCI image-spec, config.md, with the fields that Docker adds (Healthcheck, Shell, OnBuild). */
export interface ImageConfig {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly HistoryEntry[];
}

/** How a container of the image is started (OCI image-spec, config.md, config); the fields that Docker alone has are there too. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly ArgsEscaped?: boolean;
  /** Durations in nanoseconds. */
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly StartInterval?: number;
    readonly Retries?: number;
  };
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[] | null;
}

/** One instruction that made the image (OCI image-spec, config.md, history); `empty_layer` ones have no layer. */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** Media types of OCI (image-spec, media-types.md) and of Docker (distribution, image manifest version 2, schema 2). */
export const MediaType = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

/** Where the blobs and manifests of an image go: a repository of a registry, or a layout on disk. */
export interface ImageTarget {
  /** How messages call it, such as `registry.example/shop/storefront` or `.slipway/images`. */
  readonly name: string;
  /** Whether the blob is there already, with this size. */
  has(blob: { readonly digest: Digest; readonly size: number }): Promise<boolean>;
  /** Takes the blob over from a repository of the same registry without moving bytes; false when that is not possible. */
  mount(blob: Descriptor, from: { readonly registry: string; readonly repository: string }): Promise<boolean>;
  /** Stores a blob of known digest; the bytes are verified on the way and nothing stays when they differ. */
  put(
    blob: { readonly digest: Digest; readonly size: number },
    open: () => AsyncIterable<Uint8Array>,
  ): Promise<void>;
  /** Stores a blob whose digest is known only when its last byte has been made. */
  stream(content: AsyncIterable<Uint8Array>): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Stores a manifest or index by digest and, last of all, under each tag. Everything that it names must be there. */
  putManifest(bytes: Uint8Array, mediaType: string, tags: readonly string[]): Promise<Descriptor>;
  /** Stores a manifest that names another as its subject, and lists it among those that refer to that one. */
  putReferrer?(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
}
