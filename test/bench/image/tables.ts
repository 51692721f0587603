import { megabytes, seconds, table } from '../table.ts';
import { aims, leafBytes } from './aims.ts';
import { type ExampleName, exampleNames, type Scenario, scenarios, serviceScenarios } from './examples.ts';
import { down, type Figure, type Outcome, outcome, up, wall } from './figures.ts';
import type { ShapeName } from './link.ts';
import type { Sample } from './results.ts';

/** Contenders as the tables call them: short names, for columns. */
export const columns = {
  slipway: 'lifted',
  'slipway-go-build': 'handed in',
  'slipway-buildkit': 'by BuildKit',
  buildx: '(a) buildx',
  'buildx-dance': '(b) dance',
  ko: '(c) ko',
  floor: '(d) floor',
} as const;

/** All that was measured, as Markdown: for each example and shape the seconds side by side, then what moved; last the issue's aims. */
export function report(samples: readonly Sample[]): string {
  const parts: string[] = [];
  for (const example of exampleNames)
    for (const shape of ['loopback', 'shaped'] as const) {
      const own = samples.filter((sample) => sample.example === example && sample.shape === shape);
      if (own.length > 0) parts.push(`**${example}, ${describe[shape]}**`, part(own, example, shape));
    }
  if (parts.length > 0)
    parts.push('**The aims of the issue**', aims(samples), leafBytes(samples), circumstances(samples));
  return parts.join('\n\n');
}

/** Without them the figures mean nothing. */
function circumstances(samples: readonly Sample[]): string {
  const loads = samples.map(({ load }) => load);
  const machines = [...new Set(samples.map(({ on }) => on))];
  return `${machines.join('; ')}. Load average before the runs: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`;
}

const describe: Readonly<Record<ShapeName, string>> = {
  loopback: 'on loopback as it is',
  shaped: 'shaped to 100 MB/s each way and 5 ms a round trip',
};

function part(samples: readonly Sample[], example: ExampleName, shape: ShapeName): string {
  const rounds = Math.max(...samples.map(({ round }) => round)) + 1;
  const ids = (Object.keys(columns) as (keyof typeof columns)[]).filter((id) =>
    samples.some(({ contender }) => contender === id),
  );
  const rows = [...scenarios, ...serviceScenarios].filter((scenario) =>
    samples.some((sample) => sample.scenario === scenario),
  );
  const matrix = (figure: Figure, show: (value: number) => string) =>
    table(
      ['', ...ids.map((id) => columns[id])],
      rows.map((scenario) => [
        scenario,
        ...ids.map((contender) =>
          cell(outcome(samples, { example, shape, scenario, contender }, figure), show),
        ),
      ]),
    );
  return [
    `Wall seconds, ${rounds === 1 ? 'one round' : `median of ${rounds} rounds`}:`,
    matrix(wall, seconds),
    `<details><summary>Bytes, requests, memory</summary>`,
    'MB to the registry, the cache service and the module proxy:',
    matrix(up, megabytes),
    'MB from them:',
    matrix(down, megabytes),
    'Requests to the registry and to the cache service:',
    requests(samples, example, shape, rows, ids),
    'Resident memory of all processes of the job and its builder at the highest, MB:',
    matrix(
      ({ memory }) => memory,
      (bytes) => (bytes / 1e6).toFixed(0),
    ),
    '</details>',
  ].join('\n\n');
}

function requests(
  samples: readonly Sample[],
  example: ExampleName,
  shape: ShapeName,
  rows: readonly Scenario[],
  ids: readonly (keyof typeof columns)[],
): string {
  const whole = (value: number) => value.toFixed(0);
  return table(
    ['', ...ids.map((id) => columns[id])],
    rows.map((scenario) => [
      scenario,
      ...ids.map((contender) => {
        const at = { example, shape, scenario, contender };
        const registry = outcome(samples, at, ({ traffic }) => traffic.registry.requests);
        const cache = outcome(samples, at, ({ traffic }) => traffic.cache.requests);
        return registry.kind === 'measured'
          ? `${cell(registry, whole)} + ${cell(cache, whole)}`
          : cell(registry, whole);
      }),
    ]),
  );
}

function cell(one: Outcome, show: (value: number) => string): string {
  switch (one.kind) {
    case 'measured':
      return show(one.value);
    case 'wrong':
      return 'failed';
    case 'not measured':
      return '';
  }
}
