import { ExecError, run } from '../../exec/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';

/** Ids of the cache mounts that a builder holds. A builder that does not tell, or is not up yet, counts as having none. */
export async function mountsOfBuilder(
  settings: BuilderSettings,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await run({
      program: settings.program ?? 'docker',
      // biome-ignore format: one flag with its value a line
      args: [
        'buildx', 'du', '--verbose',
        ...(settings.builder === undefined ? [] : ['--builder', settings.builder]),
        '--filter', 'type=exec.cachemount',
      ],
      timeout: 10_000,
      ...(signal !== undefined && { signal }),
    });
    return new Set(mountIds(stdout.toString()));
  } catch (error) {
    if (error instanceof ExecError && error.reason !== 'cancelled') return new Set();
    throw error;
  }
}

/** BuildKit describes a mount as `cached mount /x from exec … with id "NAMESPACE/ID"`; there is no field for the id. */
export function mountIds(text: string): string[] {
  const found = text.matchAll(/^Description:\s+cached mount .*? with id ("(?:[^"\\]|\\.)*")$/gms);
  return [...found].map((match) => (JSON.parse(match[1]!) as string).replace(/^[^/]*\//, ''));
}
