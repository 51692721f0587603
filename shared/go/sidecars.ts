import { existsSync, mkdirSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { digestOfFile } from '../content/index.ts';
import { Failure, formatBytes } from '../host/index.ts';
import { checkDistinct } from './output.ts';
import type { GoPlan, PlannedProgram } from './plan.ts';
import { writeAtomically } from './record.ts';
import type { BuiltProgram } from './result.ts';
import { makeSbom } from './sbom.ts';

/** Where the bill of materials of a program goes; undefined when none was asked for. */
export function sbomPath({ request }: GoPlan, { output }: PlannedProgram): string | undefined {
  return request.sbom === true ? `${output}.cdx.json` : undefined;
}

/** Writes bills of materials and checksums. A program that was reused keeps the bill that lies beside it. */
export async function writeSidecars(
  plan: GoPlan,
  programs: readonly BuiltProgram[],
): Promise<string | undefined> {
  for (const program of programs) {
    if (program.sbom === undefined || (program.reused && existsSync(program.sbom))) continue;
    const sha256 = program.digest.slice('sha256:'.length);
    const { buildInfo, name } = program;
    const sbom = await makeSbom(buildInfo, { name, sha256, version: plan.facts.version });
    writeAtomically(program.sbom, `${JSON.stringify(sbom, null, 2)}\n`);
  }
  const { checksums } = plan.request;
  if (checksums === undefined) return undefined;
  const files = programs.flatMap(({ path, sbom }) => [path, ...(sbom === undefined ? [] : [sbom])]);
  checkDistinct([...files, checksums].map((output) => ({ output, title: basename(output) })));
  const lines = await Promise.all(
    files.map(async (file) => {
      const known = programs.find(({ path }) => path === file)?.digest ?? (await digestOfFile(file)).digest;
      return `${known.slice('sha256:'.length)}  ${relative(dirname(checksums), file)}\n`;
    }),
  );
  mkdirSync(dirname(checksums), { recursive: true });
  writeAtomically(checksums, lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join(''));
  return checksums;
}

export function checkSizes(programs: readonly BuiltProgram[], maxSize: number | undefined): void {
  if (maxSize === undefined) return;
  const large = programs.filter(({ size }) => size > maxSize);
  if (large.length === 0) return;
  const sizes = large.map(({ name, target, size }) => `${name} for ${target} is ${formatBytes(size)}`);
  throw new Failure(`${sizes.join(', ')}: over the budget of ${formatBytes(maxSize)} ("max-size").`);
}
