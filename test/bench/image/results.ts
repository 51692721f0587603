import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExampleName, Scenario } from './examples.ts';
import type { ShapeName } from './link.ts';
import type { RunTraffic } from './network.ts';

/** Where a sample belongs: samples with the same coordinates are rounds of one measurement. */
export interface Coordinates {
  readonly example: ExampleName;
  readonly shape: ShapeName;
  readonly scenario: Scenario;
  /** Id of the contender. */
  readonly contender: string;
}

/** One run of one contender. */
export interface Sample extends Coordinates {
  readonly round: number;
  /** Wall milliseconds of the whole job, the start of the builder included where it counts. */
  readonly milliseconds: number;
  /** The part of it that the start of the builder took; 0 where it does not count. */
  readonly boot: number;
  /** Milliseconds by step, in order. */
  readonly steps: Readonly<Record<string, number>>;
  readonly traffic: RunTraffic;
  /** Bytes of resident memory of all processes of the job and its builder, at the highest. */
  readonly memory: number;
  /** Why this run does not count: it failed, or what it pushed is not the image that was asked for. */
  readonly wrong?: string;
  /** Load average over a minute before the run: on a quiet machine of two cores it is near what the bench itself makes. */
  readonly load: number;
  /** When it ended, as ISO 8601. */
  readonly at: string;
  /** The machine, the tools and the commit of Slipway. */
  readonly on: string;
}

const file = join(import.meta.dirname, '..', 'results', 'image.json');

/** Keeps samples beside those of earlier runs, and gives all that are kept. */
export async function keepResults(samples: readonly Sample[]): Promise<readonly Sample[]> {
  const before = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as readonly Sample[]) : [];
  const merged = merge(before, samples);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(merged, null, 1)}\n`);
  return merged;
}

/** Rounds of one measurement belong together: what a later run measured replaces all rounds of an earlier one. */
export function merge(before: readonly Sample[], after: readonly Sample[]): readonly Sample[] {
  const measured = new Set(after.map(coordinates));
  return [...before.filter((sample) => !measured.has(coordinates(sample))), ...after];
}

export const coordinates = ({ example, shape, scenario, contender }: Coordinates) =>
  [example, shape, scenario, contender].join(' | ');
