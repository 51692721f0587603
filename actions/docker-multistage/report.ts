import { formatBytes, formatDuration } from '../../shared/host/index.ts';
import { describePlan, type ImagePlan, type ImageResult } from '../../shared/image/index.ts';
import type { Traffic } from '../../shared/oci/index.ts';
import {
  type Block,
  details,
  heading,
  list,
  mono,
  paragraph,
  shortDigest,
  strong,
  table,
} from '../../shared/report/index.ts';

/** What would be done and why. */
export function reportPlan(plan: ImagePlan): Block[] {
  const told = describePlan(plan);
  const how =
    told.because === null
      ? 'The image is assembled in this process.'
      : `BuildKit makes the whole image. ${told.because}.`;
  return [
    heading(`Plan of ${told.dockerfile}`),
    paragraph(how),
    ...changes(told.changes),
    ...told.platforms.flatMap(({ platform, stages, layers }): Block[] => [
      heading(platform, 3),
      table(
        ['Stage', { title: 'Line', align: 'right' }, 'How', 'Why'],
        stages.map((stage) => [stage.stage, String(stage.line), stage.how, stage.detail]),
      ),
      ...(layers === null || layers.length === 0
        ? []
        : [
            table(
              ['Layer', { title: 'Members', align: 'right' }],
              layers.map((layer) => [mono(layer.instruction), String(layer.members)]),
            ),
          ]),
    ]),
    ...warnings(told.warnings),
  ];
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
): Block[] {
  const told = describePlan(plan);
  const opening = result.reused
    ? 'Nothing changed: the image was there already.'
    : told.because === null
      ? 'Assembled in this process.'
      : `Made by BuildKit as a whole. ${told.because}.`;
  return [
    heading(['Image ', mono(shortDigest(result.descriptor.digest))]),
    paragraph([
      strong(opening),
      ` ${formatDuration(milliseconds)}, ${formatBytes(traffic.bytesSent)} sent and ${formatBytes(traffic.bytesReceived)} received in ${traffic.requests} requests.`,
    ]),
    ...(result.reused ? [] : changes(told.changes)),
    ...result.platforms.flatMap(({ platform, manifest, layers }): Block[] => [
      heading([platform, ' ', mono(shortDigest(manifest.digest))], 3),
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

/** The plans of several images, one after the other. */
export function reportPlans(
  runs: readonly { readonly name: string; readonly run: { readonly plan: ImagePlan } }[],
): Block[] {
  return runs.flatMap(({ name, run }) => [heading(name), ...reportPlan(run.plan).slice(1)]);
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
        run.made!.result.reused ? 'there already' : describePlan(run.plan).how,
        formatBytes(run.made!.result.deliveries.reduce((sum, { bytes }) => sum + bytes, 0)),
        formatDuration(own),
      ]),
    ),
    ...runs
      .filter(({ run }) => !run.made!.result.reused)
      .map(({ name, run, milliseconds: own }) =>
        details(
          name,
          reportResult(run.plan, run.made!.result, { milliseconds: own, traffic: run.made!.traffic }),
        ),
      ),
  ];
}

interface FinishedImage {
  readonly name: string;
  readonly run: {
    readonly plan: ImagePlan;
    readonly made: { readonly result: ImageResult; readonly traffic: Traffic } | undefined;
  };
  readonly milliseconds: number;
}
