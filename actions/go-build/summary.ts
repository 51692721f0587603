import { relative } from 'node:path';
import type { BuiltProgram, GoBuildResult, GoPlan } from '../../shared/go/index.ts';
import { formatBytes, formatDuration } from '../../shared/host/index.ts';
import { type Block, details, heading, list, mono, paragraph, table } from '../../shared/report/index.ts';

/** What was built, reused and why, as one table with a row for each program. */
export function buildSummary(plan: GoPlan, result: GoBuildResult): Block[] {
  const { programs, notices } = result;
  const built = programs.filter(({ reused }) => !reused).length;
  const spared = programs.reduce((sum, { saved }) => sum + saved, 0);
  const several = new Set(programs.map(({ package: name }) => name)).size > 1;
  return [
    heading(`Go build: ${plan.module.path}`),
    paragraph(
      built === 0
        ? `Nothing changed: ${count(programs.length, 'program')} reused, ${formatDuration(spared)} of building spared.`
        : `${count(built, 'program')} built, ${programs.length - built} reused, with ${programs[0]!.goVersion}.`,
    ),
    table(
      [
        ...(several ? ['Program'] : []),
        'Target',
        { title: 'Size', align: 'right' },
        { title: 'Change', align: 'right' },
        'Result',
        { title: 'Time', align: 'right' },
        'SHA-256',
      ],
      programs.map((program) => [...(several ? [program.name] : []), ...row(program)]),
    ),
    ...notices.map((notice) => paragraph(notice)),
    details('Files', [list(programs.map(({ path }) => mono(relative(plan.request.directory, path))))]),
  ];
}

function row(program: BuiltProgram) {
  return [
    mono(program.target),
    formatBytes(program.size),
    sizeChange(program),
    `${program.reused ? 'reused' : 'built'}: ${program.because}${proof(program)}`,
    program.reused ? '–' : formatDuration(program.milliseconds),
    mono(program.digest.slice('sha256:'.length, 'sha256:'.length + 12)),
  ];
}

function proof({ reproduction }: BuiltProgram): string {
  return reproduction?.kind === 'same' ? '; built twice, the same bytes' : '';
}

/** `+12.3 kB (+0.1 %)` against the program that was here before. */
export function sizeChange({ size, previousSize }: Pick<BuiltProgram, 'size' | 'previousSize'>): string {
  if (previousSize === undefined) return 'new';
  const change = size - previousSize;
  if (change === 0) return '±0';
  const sign = change > 0 ? '+' : '−';
  return `${sign}${formatBytes(Math.abs(change))} (${sign}${((100 * Math.abs(change)) / previousSize).toFixed(1)} %)`;
}

function count(number: number, word: string): string {
  return `${number} ${number === 1 ? word : `${word}s`}`;
}
