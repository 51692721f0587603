import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ExecError, run } from '../../shared/exec/index.ts';
import { bundle, type Program } from './child.ts';
import { median, megabytes, seconds, table } from './table.ts';

const MIB = 2 ** 20;
/** Bytes of a layer, and how many are written at once. */
const cases = [
  { size: 10 * MIB, layers: 1 },
  { size: 1024 * MIB, layers: 1 },
  { size: 1024 * MIB, layers: 2 },
  { size: 4096 * MIB, layers: 1 },
] as const;
const small = [
  { size: 4 * MIB, layers: 1 },
  { size: 4 * MIB, layers: 2 },
] as const;

/**
 * Writing layers from files, compressed and digested, next to pigz and zstd on the same archive with the same level and as many threads;
 * these two read it from one file and digest nothing. The content is the Go distribution, over and over: programs and sources.
 */
export async function benchLayers(rounds: number, isSmall: boolean): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const root = await run({ program: 'go', args: ['env', 'GOROOT'] });
  const content = root.stdout.toString().trim();
  try {
    await using program = await bundle('layers-program.ts');
    const rows: string[][] = [];
    for (const { size, layers } of isSmall ? small : cases)
      for (const compression of ['gzip', 'zstd'] as const) {
        const ours = await own(program, compression, size, layers, content, rounds);
        const theirs =
          layers > 1 ? undefined : await peer(program, folder, compression, size, content, rounds);
        rows.push([
          `${layers > 1 ? `${layers} × ` : ''}${size / MIB} MiB, ${compression}`,
          seconds(ours.milliseconds),
          (ours.bytes / 1000 / ours.milliseconds).toFixed(0),
          megabytes(ours.compressed),
          (ours.resident / 1e6).toFixed(0),
          ...(theirs === undefined ? ['', ''] : peerCells(theirs, ours.milliseconds)),
        ]);
      }
    return table(
      ['layer', 's', 'MB/s', 'MB compressed', 'MB resident', 'peer, s', 'of its throughput'],
      rows,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Written {
  readonly milliseconds: number;
  readonly bytes: number;
  readonly compressed: number;
  readonly resident: number;
}

async function own(
  program: Program,
  compression: string,
  size: number,
  layers: number,
  content: string,
  rounds: number,
): Promise<Written> {
  const all: Written[] = [];
  for (let round = 0; round < rounds; round++) {
    const { stdout } = await program.run(compression, String(size), String(layers), content);
    all.push(JSON.parse(stdout.toString()) as Written);
  }
  return {
    ...all[0]!,
    milliseconds: median(all.map(({ milliseconds }) => milliseconds)),
    resident: Math.max(...all.map(({ resident }) => resident)),
  };
}

/** Milliseconds, or why there are none. */
async function peer(
  program: Program,
  folder: string,
  compression: 'gzip' | 'zstd',
  size: number,
  content: string,
  rounds: number,
): Promise<number | string> {
  const archive = join(folder, `${size}.tar`);
  if (!(await stat(archive).catch(() => undefined)))
    await program.pipe(
      (stdout) => pipeline(stdout, createWriteStream(archive)),
      'none',
      String(size),
      '1',
      content,
    );
  const cores = String(availableParallelism());
  const [name, args] =
    compression === 'gzip' ? ['pigz', ['-6', '-p', cores, '-c']] : ['zstd', ['-3', '-T0', '-q', '-c']];
  const times: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const drain = async (stdout: AsyncIterable<unknown>) => {
        for await (const _ of stdout);
      };
      const finished = await run({ program: name, args: [...args, archive], consume: drain });
      times.push(finished.milliseconds);
    }
  } catch (error) {
    if (error instanceof ExecError && error.reason === 'missing') return `no ${name} here`;
    throw error;
  }
  return median(times);
}

function peerCells(theirs: number | string, ours: number): string[] {
  return typeof theirs === 'string' ? [theirs, ''] : [seconds(theirs), (theirs / ours).toFixed(2)];
}
