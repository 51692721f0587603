/** What became of one part of the lab. */
export type Step =
  | { readonly kind: 'present'; readonly part: string }
  | { readonly kind: 'installed'; readonly part: string; readonly seconds: number }
  | { readonly kind: 'lacking'; readonly part: string; readonly why: string };

/** Does `work` unless `present`, and turns a failure into the line that says what is lacking. */
export async function step(part: string, present: boolean, work: () => Promise<unknown>): Promise<Step> {
  if (present) return { kind: 'present', part };
  console.log(`lab: getting ${part}`);
  const started = performance.now();
  try {
    await work();
    return { kind: 'installed', part, seconds: (performance.now() - started) / 1000 };
  } catch (error) {
    return { kind: 'lacking', part, why: firstLine(error as Error & { stderr?: string }) };
  }
}

export function report(steps: readonly Step[]): void {
  const present = steps.filter((one) => one.kind === 'present').map((one) => one.part);
  if (present.length > 0) console.log(`lab: ${present.join(', ')}: there`);
  for (const one of steps) {
    if (one.kind === 'installed') console.log(`lab: ${one.part}: set up in ${one.seconds.toFixed(1)} s`);
    if (one.kind === 'lacking') console.log(`lab: ${one.part}: lacking, because ${one.why}`);
  }
}

/** Tools say what went wrong on their last line. */
function firstLine(error: Error & { stderr?: string }): string {
  const said = error.stderr?.trim().split('\n').at(-1);
  return said ? `${error.message.split('\n')[0]} (${said})` : error.message.split('\n')[0]!;
}
