import { formatBytes, formatDuration } from '../../shared/host/index.ts';
import {
  describePlan,
  type ImagePlan,
  type ImageResult,
  type StageDescription,
  type Story,
} from '../../shared/image/index.ts';
import type { Traffic } from '../../shared/oci/index.ts';
import {
  type Block,
  details,
  heading,
  type Inline,
  list,
  mono,
  paragraph,
  shortDigest,
  strong,
  table,
} from '../../shared/report/index.ts';

/** What would be done and why. `explain` tells all that is known of each stage. */
export function reportPlan(plan: ImagePlan, story: Story = {}, explain = false): Block[] {
  const told = describePlan(plan, story);
  return [
    heading(`Plan of ${told.dockerfile}`),
    paragraph(intention(told)),
    ...changes(told.changes),
    ...told.platforms.flatMap(({ platform, stages, layers }): Block[] => [
      heading(platform, 3),
      stageTable(stages),
      ...(explain ? explanation(stages) : []),
      ...(layers === null || layers.length === 0
        ? []
        : [
            table(
              ['Layer', { title: 'Members', align: 'right' }],
              layers.map((layer) => [mono(layer.instruction), String(layer.members)]),
            ),
          ]),
    ]),
    ...(told.notes.length === 0 ? [] : [heading('Beside the Dockerfile', 3), list(told.notes)]),
    ...warnings(told.warnings),
  ];
}

type Told = ReturnType<typeof describePlan>;

function intention({ there, because }: Told): string {
  if (there === 'image') return 'The image is there already: it only gets its names.';
  if (there === 'layers') return 'Its files are there already: only configuration and manifest are written.';
  return because === null
    ? 'The image is assembled in this process.'
    : `BuildKit makes the whole image. ${because}.`;
}

function changes(lines: readonly string[] | null): Block[] {
  if (lines === null) return [];
  return [
    paragraph(
      lines.length === 0
        ? 'Nothing changed since the last time.'
        : `Changed since the last time: ${lines.join('; ')}.`,
    ),
  ];
}

/** Each stage with what becomes of it, and the first reason for that. */
function stageTable(stages: readonly StageDescription[]): Block {
  return table(
    ['Stage', { title: 'Line', align: 'right' }, 'How', 'Why'],
    stages.map((stage) => [stage.stage, String(stage.line), howOf(stage), whyOf(stage)]),
  );
}

function howOf({ how, result }: StageDescription): Inline {
  if (result === null) return how;
  const { kind, where, size } = result;
  if (kind === 'reused') return 'reused with the image';
  if (kind !== 'restored') return kind === 'built' || kind === 'lifted' ? strong(kind) : kind;
  return `restored, ${formatBytes(size ?? 0)}${where === null ? '' : ` from ${where}`}`;
}

function whyOf(stage: StageDescription): string {
  const { detail, unkeyed, changes: told, result } = stage;
  const runs = stage.how === 'builder' || stage.how === 'lifted';
  const change = told === null || told.length === 0 ? undefined : firstAndMore(told);
  const taken = result?.kind === 'reused' || result?.kind === 'restored';
  if (taken)
    return change === undefined
      ? 'nothing changed'
      : `as an earlier build made it; since the last: ${change}`;
  if (unkeyed !== null) return `always made: ${unkeyed}`;
  if (!runs) return change === undefined ? detail : `${detail}; ${change}`;
  if (change !== undefined) return `${change} (${detail})`;
  if (told !== null && result !== null) return `nothing changed, but no result is stored (${detail})`;
  return detail;
}

function firstAndMore([first, ...more]: readonly string[]): string {
  return more.length === 0 ? first! : `${first}, and ${more.length} more`;
}

/** All that is known of each stage. */
function explanation(stages: readonly StageDescription[]): Block[] {
  return stages.map((stage) => {
    const { key, unkeyed, aging, changes: told } = stage;
    return details(`Stage ${stage.stage}`, [
      list([
        key === null ? 'Key: none' : ['Key: ', mono(shortDigest(key))],
        ...(unkeyed === null ? [] : [`Made in any case: ${unkeyed}`]),
        ...(aging === null ? [] : [`Holds for max-age only: ${aging}`]),
        ...(told === null ? ['Not known from an earlier build'] : []),
        ...(told?.length === 0 ? ['Nothing changed since the last build'] : []),
        ...(told ?? []),
      ]),
    ]);
  });
}

function warnings(lines: readonly string[]): Block[] {
  return lines.length === 0 ? [] : [heading('Warnings', 3), list(lines)];
}

export interface Effort {
  readonly milliseconds: number;
  readonly traffic: Traffic;
}

/** What was made, what was there, where it went and what it cost. */
export function reportResult(
  plan: ImagePlan,
  result: ImageResult,
  { milliseconds, traffic }: Effort,
  story: Story = {},
  explain = false,
): Block[] {
  const told = describePlan(plan, story);
  const opening = openingOf(told, result);
  return [
    heading(['Image ', mono(shortDigest(result.descriptor.digest))]),
    paragraph([
      strong(opening),
      ` ${formatDuration(milliseconds)}, ${formatBytes(traffic.bytesSent)} sent and ${formatBytes(traffic.bytesReceived)} received in ${traffic.requests} requests.`,
    ]),
    ...(told.changes === null || told.changes.length === 0 ? [] : changes(told.changes)),
    ...result.platforms.flatMap(({ platform, manifest, layers }): Block[] => [
      heading([platform, ' ', mono(shortDigest(manifest.digest))], 3),
      ...stagesOf(told, platform, result.reused, explain),
      table(
        ['Layer', 'Made by', { title: 'Size', align: 'right' }, 'How'],
        layers.map((layer) => [
          mono(shortDigest(layer.descriptor.digest)),
          layer.createdBy === undefined ? '' : mono(layer.createdBy),
          formatBytes(layer.descriptor.size),
          layer.origin,
        ]),
      ),
    ]),
    table(
      [
        'Where',
        'Names',
        { title: 'Moved', align: 'right' },
        { title: 'Mounted', align: 'right' },
        { title: 'There', align: 'right' },
      ],
      result.deliveries.map((one) => [
        one.target,
        one.tags.join(', '),
        formatBytes(one.bytes),
        String(one.mounted),
        String(one.present),
      ]),
    ),
    ...warnings(told.warnings),
  ];
}

function openingOf(told: Told, { reused }: ImageResult): string {
  const { there, because } = told;
  if (reused)
    return worked(told)
      ? 'The stages came out as before: the image was there already.'
      : 'Nothing changed: the image was there already.';
  if (there === 'layers') return 'No file changed: only configuration and manifest were written.';
  return because === null ? 'Assembled in this process.' : `Made by BuildKit as a whole. ${because}.`;
}

/** Whether stages were made, or brought here, before it was known that the image is there. */
function worked({ platforms }: Told): boolean {
  return platforms.some(({ stages }) =>
    stages.some(({ result }) => result !== null && result.kind !== 'reused'),
  );
}

/** What became of the stages, where there is anything to tell. */
function stagesOf(told: Told, name: string, reused: boolean, explain: boolean): Block[] {
  const stages = told.platforms.find(({ platform }) => platform === name)?.stages ?? [];
  if (explain) return [stageTable(stages), ...explanation(stages)];
  return (reused && !worked(told)) || stages.length < 2 ? [] : [stageTable(stages)];
}

/** The plans of several images, one after the other. */
export function reportPlans(
  runs: readonly {
    readonly name: string;
    readonly run: { readonly plan: ImagePlan; readonly story: Story };
  }[],
): Block[] {
  return runs.flatMap(({ name, run }) => [heading(name), ...reportPlan(run.plan, run.story).slice(1)]);
}

/** Several images in one table, and what each came from folded below it. */
export function reportImages(runs: readonly FinishedImage[], { milliseconds, traffic }: Effort): Block[] {
  const reused = runs.filter(({ run }) => run.made!.result.reused).length;
  const opening =
    reused === runs.length
      ? 'Nothing changed: all images were there already.'
      : `${runs.length - reused} of ${runs.length} images made, the others were there already.`;
  return [
    heading(`${runs.length} images`),
    paragraph([
      strong(opening),
      ` ${formatDuration(milliseconds)}, ${formatBytes(traffic.bytesSent)} sent and ${formatBytes(traffic.bytesReceived)} received in ${traffic.requests} requests.`,
    ]),
    table(
      ['Image', 'Digest', 'How', { title: 'Moved', align: 'right' }, { title: 'Time', align: 'right' }],
      runs.map(({ name, run, milliseconds: own }) => [
        name,
        mono(shortDigest(run.made!.result.descriptor.digest)),
        run.made!.result.reused ? 'there already' : describePlan(run.plan, run.story).how,
        formatBytes(run.made!.result.deliveries.reduce((sum, { bytes }) => sum + bytes, 0)),
        formatDuration(own),
      ]),
    ),
    ...runs
      .filter(({ run }) => !run.made!.result.reused)
      .map(({ name, run, milliseconds: own }) =>
        details(
          name,
          reportResult(
            run.plan,
            run.made!.result,
            { milliseconds: own, traffic: run.made!.traffic },
            run.story,
          ),
        ),
      ),
  ];
}

interface FinishedImage {
  readonly name: string;
  readonly run: {
    readonly plan: ImagePlan;
    readonly story: Story;
    readonly made: { readonly result: ImageResult; readonly traffic: Traffic } | undefined;
  };
  readonly milliseconds: number;
}
