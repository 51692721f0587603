import { megabytes, seconds, table } from '../table.ts';
import { exampleNames, type Scenario } from './examples.ts';
import { down, type Figure, outcome, up, wall } from './figures.ts';
import type { Sample } from './results.ts';

/** What the issue asks for, as a comparison of two figures. */
interface Aim {
  readonly aim: string;
  readonly scenario: Scenario;
  readonly contender: string;
  readonly figure: Figure;
  readonly show: (value: number) => string;
  /** The most that the figure may be: a number, or a share of another contender's figure. */
  readonly most: number | Share;
}

/** A part of what another contender took, or of what another scenario took. */
interface Share {
  readonly share: number;
  readonly of: string;
  readonly figure?: Figure;
  readonly in?: Scenario;
}

const moved: Figure = (sample) => up(sample) + down(sample);
/** As if the builder had been up before. */
const withoutBoot: Figure = ({ milliseconds, boot }) => milliseconds - boot;

const ours = ['slipway', 'slipway-go-build'] as const;
const names: Readonly<Record<string, string>> = {
  slipway: 'lifted',
  'slipway-go-build': 'handed in',
  'slipway-buildkit': 'by BuildKit',
};

const timed = (
  scenario: Scenario,
  contender: string,
  most: Aim['most'],
  aim: string,
  figure: Figure = wall,
): Aim => ({ aim, scenario, contender, figure, show: seconds, most });

const list: readonly Aim[] = [
  timed('unchanged', 'slipway', 300, 'at most 0.3 s'),
  {
    ...{ aim: 'at most 20 KB', scenario: 'unchanged', contender: 'slipway', figure: moved },
    ...{ show: (bytes) => `${(bytes / 1e3).toFixed(1)} KB`, most: 20_000 },
  },
  timed(
    'unchanged',
    'slipway',
    { share: 1, of: 'buildx', figure: withoutBoot },
    'not slower than (a) on a builder that is up',
  ),
  timed('label only', 'slipway', 700, 'at most 0.7 s'),
  timed('leaf file', 'slipway-buildkit', { share: 1 / 5, of: 'buildx' }, 'at most 1/5 of (a)'),
  timed('leaf file', 'slipway-buildkit', { share: 1 / 2, of: 'buildx-dance' }, 'at most 1/2 of (b)'),
  ...ours.flatMap((contender) => [
    timed('leaf file', contender, { share: 1.15, of: 'floor' }, 'at most 1.15 of (d)'),
    timed('leaf file', contender, { share: 1 / 14, of: 'buildx' }, 'at most 1/14 of (a)'),
    timed('leaf file', contender, { share: 1, of: 'ko' }, 'not slower than (c)'),
  ]),
  ...['slipway', 'slipway-buildkit'].map((contender) =>
    timed(
      'four services, leaf file in one',
      contender,
      { share: 1.2, of: contender, in: 'that service alone' },
      'within 1.2 of it alone',
    ),
  ),
  ...['slipway-buildkit', ...ours].map((contender) =>
    timed('cold', contender, { share: 1.05, of: 'buildx' }, 'at most 1.05 of (a)'),
  ),
];

/** Each aim with what came out, for each example and network. Nothing is judged beyond the comparison itself. */
export function aims(samples: readonly Sample[]): string {
  const rows = exampleNames.flatMap((example) =>
    (['loopback', 'shaped'] as const).flatMap((shape) =>
      list.flatMap((one) => {
        const at = { example, shape, scenario: one.scenario, contender: one.contender };
        const got = outcome(samples, at, one.figure);
        if (got.kind === 'not measured') return [];
        const limit = limitOf(samples, one, at);
        const most = limit === undefined ? 'not measured' : one.show(limit);
        const came = got.kind === 'measured' ? one.show(got.value) : 'failed';
        const met = limit === undefined ? '' : got.kind === 'measured' && got.value <= limit ? 'yes' : 'no';
        return [
          [`${example}, ${shape}`, `${one.scenario}, ${names[one.contender]}`, one.aim, most, came, met],
        ];
      }),
    ),
  );
  return table(['', 'what', 'aim', 'that is', 'came out', 'met'], rows, 3);
}

function limitOf(
  samples: readonly Sample[],
  { most, figure }: Aim,
  at: { example: Sample['example']; shape: Sample['shape']; scenario: Scenario },
): number | undefined {
  if (typeof most === 'number') return most;
  const place = { ...at, scenario: most.in ?? at.scenario, contender: most.of };
  const other = outcome(samples, place, most.figure ?? figure);
  return other.kind === 'measured' ? other.value * most.share : undefined;
}

/**
 * `leaf file, stage run by BuildKit: at most twice the bytes of the pruned cache's change plus the image's` has no figure of a peer to
 * be compared with: the bytes are told.
 */
export function leafBytes(samples: readonly Sample[]): string {
  const rows = samples
    .filter(({ scenario, contender }) => scenario === 'leaf file' && contender === 'slipway-buildkit')
    .map((sample) => [
      `${sample.example}, ${sample.shape}`,
      megabytes(sample.traffic.registry.up),
      megabytes(sample.traffic.registry.down),
    ]);
  return table(['leaf file, by BuildKit', 'MB to the registry', 'MB from it'], rows);
}
