import type { GoBuildResult, GoPlan } from '../../shared/go/index.ts';
import { formatBytes, formatDuration } from '../../shared/host/index.ts';
import { describePlan } from '../../shared/image/index.ts';
import {
  type Block,
  heading,
  mono,
  paragraph,
  shortDigest,
  strong,
  table,
} from '../../shared/report/index.ts';
import { reportPlan as reportImagePlan } from '../docker-multistage/report.ts';
import type { ImageRun } from '../docker-multistage/run.ts';
import type { Service } from './service.ts';
import type { StagesReading } from './stages.ts';

export interface PlannedRun {
  readonly service: Service;
  readonly reading: StagesReading;
  readonly plans: readonly GoPlan[];
  /** undefined: it depends on binaries that are not built yet, or there is none. */
  readonly image: ImageRun | undefined;
}

/** What would be done and why. */
export function reportPlan({ service, reading, plans, image }: PlannedRun): Block[] {
  const programs = plans.flatMap((plan) => plan.programs);
  return [
    heading(`Plan of ${service.name}`),
    ...tableOf(
      ['Binary', 'Would be', 'Why'],
      programs.map(({ title, decision }) => [
        title,
        decision.kind === 'reuse' ? 'reused' : 'built',
        decision.because,
      ]),
    ),
    ...stages(reading),
    ...(image === undefined
      ? [paragraph(withoutImagePlan(service))]
      : reportImagePlan(image.plan, image.story)),
  ];
}

/** A table, or nothing where it would have no row. */
function tableOf(...[columns, rows]: Parameters<typeof table>): Block[] {
  return rows.length === 0 ? [] : [table(columns, rows)];
}

function withoutImagePlan({ image }: Service): string {
  if (image.kind === 'none') return `No image: ${image.because}.`;
  return 'The image is assembled once the binaries are there; its plan follows from them.';
}

function stages({ file, lifted, kept }: StagesReading): Block[] {
  if (lifted.length + kept.length === 0) return [];
  return [
    table(
      ['Stage', 'Line', 'Made by'],
      [
        ...lifted.map(({ name, lines }) => [name, `${file}:${lines.start}`, 'go-build, without a container']),
        ...kept.map(({ name, lines, because, liftable }) => [
          name,
          `${file}:${lines.start}`,
          `${liftable ? 'the image, as the Dockerfile has it' : 'a builder'}: ${because}`,
        ]),
      ],
    ),
  ];
}

export interface FinishedRun {
  readonly service: Service;
  readonly reading: StagesReading;
  readonly builds: readonly GoBuildResult[];
  readonly image: ImageRun | undefined;
  readonly milliseconds: number;
}

/** What was done, why, how long it took and how much moved. */
export function reportRun({ service, reading, builds, image, milliseconds }: FinishedRun): Block[] {
  const programs = builds.flatMap((build) => build.programs);
  const unchanged = programs.every(({ reused }) => reused) && image?.made?.result.reused !== false;
  return [
    heading(service.name),
    paragraph([
      strong(
        unchanged ? 'Nothing changed.' : opening(programs.filter(({ reused }) => !reused).length, image),
      ),
      ` ${formatDuration(milliseconds)}${traffic(image)}.`,
    ]),
    ...tableOf(
      ['Binary', { title: 'Size', align: 'right' }, 'What and why', { title: 'Time', align: 'right' }],
      programs.map((program) => [
        mono(several(programs) ? `${program.name} ${program.target}` : program.target),
        formatBytes(program.size),
        `${program.reused ? 'reused' : 'built'}: ${program.because}`,
        program.reused ? '–' : formatDuration(program.milliseconds),
      ]),
    ),
    ...stages(reading),
    ...(service.image.kind === 'none'
      ? [paragraph(`No image: ${service.image.because}.`)]
      : imageTable(image)),
  ];
}

function several(programs: readonly { readonly name: string }[]): boolean {
  return new Set(programs.map(({ name }) => name)).size > 1;
}

function opening(built: number, image: ImageRun | undefined): string {
  const binaries =
    built === 0 ? 'No binary changed' : `${built} ${built === 1 ? 'binary' : 'binaries'} built`;
  if (image?.made === undefined) return `${binaries}.`;
  if (image.made.result.reused) return `${binaries}, image reused.`;
  return `${binaries}, image ${describePlan(image.plan, image.story).because === null ? 'assembled' : 'made by BuildKit'}.`;
}

function traffic(image: ImageRun | undefined): string {
  if (image?.made === undefined) return '';
  const { bytesSent, bytesReceived, requests } = image.made.traffic;
  if (requests === 0) return ', no byte went over the network';
  return `, ${formatBytes(bytesSent)} sent and ${formatBytes(bytesReceived)} received in ${requests} requests`;
}

function imageTable(image: ImageRun | undefined): Block[] {
  if (image?.made === undefined) return [];
  const { result } = image.made;
  return [
    table(
      ['Image', { title: 'Layers', align: 'right' }, { title: 'Size', align: 'right' }, 'Digest'],
      result.platforms.map(({ platform, manifest, layers }) => [
        mono(platform),
        `${layers.filter(({ origin }) => origin === 'made').length} made, ${layers.filter(({ origin }) => origin !== 'made').length} there`,
        formatBytes(layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0)),
        mono(shortDigest(manifest.digest)),
      ]),
    ),
    table(
      ['Where', 'Name', { title: 'Moved', align: 'right' }],
      result.deliveries.map(({ target, tags, bytes }) => [target, tags.join(', '), formatBytes(bytes)]),
    ),
  ];
}
