import { formatBytes } from '../../host/index.ts';

/** Files and their bytes. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** What a mount holds after the build, as the survey in the builder tells it. */
export interface Survey {
  readonly kind: 'objects' | 'modules' | 'other';
  /** What would be kept, and what of it the seed lacks. */
  readonly kept: Amount;
  readonly fresh: Amount;
  readonly seed: Amount;
  readonly all: Amount;
}

/** Reads the line that the survey wrote. */
export function parseSurvey(text: string): Survey {
  const [kind, ...numbers] = text.trim().split(/\s+/);
  const values = numbers.map(Number);
  if (!/^(objects|modules|other)$/.test(kind ?? '') || values.length !== 8 || !values.every(Number.isFinite))
    throw new Error(`The survey of a cache mount came out as "${text.slice(0, 100)}".`);
  const amount = (at: number): Amount => ({ files: values[at]!, bytes: values[at + 1]! });
  return { kind: kind as Survey['kind'], kept: amount(0), fresh: amount(2), seed: amount(4), all: amount(6) };
}

/** What is done with a mount after the build. */
export type Saving =
  /** `delta`: the seed stays, and what is new becomes a layer upon it. */
  | { readonly kind: 'save'; readonly delta: boolean; readonly because: string }
  | { readonly kind: 'skip'; readonly because: string }
  /** Something was to be expected that is not there. */
  | { readonly kind: 'fault'; readonly because: string };

/** What is known of the mount beside the survey. */
export interface MountState {
  /** Of the seed; undefined where there was none. */
  readonly layers: number | undefined;
  /** Whether it is one that is never empty after a build, as the folder of Go's objects is. */
  readonly filled: boolean;
}

/** New content below this share of the whole costs the next run less to make again than this one to store. */
const WORTH = 0.01;
const WORTH_BYTES = 8 * 2 ** 20;
/** A seed of which this share is dead weight is stored anew. */
const DEAD = 0.25;
/** Below this nothing is worth a request. */
const TRIFLE = 64 * 2 ** 10;
/** Layers are unpacked one behind the other, and each adds a request. */
const MOST_LAYERS = 12;

/** Decides whether what a mount holds is worth an upload, and how much of it goes up. */
export function decideSaving(survey: Survey, { layers, filled }: MountState, limit: number): Saving {
  const { kind, kept, fresh, all } = survey;
  if (all.files === 0)
    return filled || survey.seed.files > 0
      ? { kind: 'fault', because: 'it is empty after the build, so its RUN writes somewhere else' }
      : { kind: 'skip', because: 'it is empty' };
  if (kept.files === 0) return { kind: 'skip', because: 'nothing in it was used' };
  if (kept.bytes > limit)
    return {
      kind: 'skip',
      because: `its ${formatBytes(kept.bytes)} are more than the ${formatBytes(limit)} of cache-mount-limit`,
    };
  if (layers === undefined) return { kind: 'save', delta: false, because: 'there was none before' };
  const dead = survey.seed.bytes - (kept.bytes - fresh.bytes);
  if (dead > Math.max(survey.seed.bytes * DEAD, TRIFLE))
    return {
      kind: 'save',
      delta: false,
      because: `${share(dead, survey.seed.bytes)} of the seed was not used`,
    };
  if (fresh.bytes <= Math.max(Math.min(kept.bytes * WORTH, WORTH_BYTES), TRIFLE))
    return {
      kind: 'skip',
      because:
        fresh.files === 0
          ? 'nothing was gained'
          : `only ${formatBytes(fresh.bytes)} in ${fresh.files} files are new`,
    };
  const delta = kind !== 'other' && fresh.bytes < kept.bytes / 2 && layers < MOST_LAYERS;
  return { kind: 'save', delta, because: `${share(fresh.bytes, kept.bytes)} of it is new` };
}

function share(part: number, whole: number): string {
  return `${Math.round((100 * part) / Math.max(1, whole))} %`;
}
