import type { Descriptor, Platform } from '../oci/index.ts';
import type { Delivered } from './deliver.ts';

/** An image that is at its targets. */
export interface ImageResult {
  /** Of the index, or of the manifest of an image for one platform. */
  readonly descriptor: Descriptor;
  readonly platforms: readonly PlatformResult[];
  /** Nothing was made: the same image was at a target already. */
  readonly reused: boolean;
  readonly deliveries: readonly Delivered[];
}

/** What became of a stage. */
export interface StageOutcome {
  readonly platform: Platform;
  /** Number of the stage. */
  readonly stage: number;
  readonly how: 'restored' | 'built' | 'lifted' | 'assembled' | 'handed in';
  /** Where a restored one was found. */
  readonly where?: string | undefined;
  /** Bytes that restoring moved. */
  readonly size?: number | undefined;
}

/** The image for one platform, as it ended up. */
export interface PlatformResult {
  readonly platform: string;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** From the lowest to the uppermost. */
  readonly layers: readonly LayerResult[];
}

/** A layer of it, and how it came to be there. */
export interface LayerResult {
  readonly descriptor: Descriptor;
  readonly origin: 'base' | 'made' | 'reused';
  /** The instruction that made it. */
  readonly createdBy: string | undefined;
}
