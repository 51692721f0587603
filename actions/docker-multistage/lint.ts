import { createIgnore, type Finding, type Level, lint, lintRules } from '../../shared/dockerfile/index.ts';
import { didYouMean, Failure, type Host } from '../../shared/host/index.ts';
import type { ImagePlan } from '../../shared/image/index.ts';

const LEVELS: readonly Level[] = ['error', 'warning', 'notice', 'off'];

/** Reads lines of `rule=level`. */
export function parseLevels(lines: readonly string[]): Readonly<Record<string, Level>> {
  return Object.fromEntries(lines.map(parseLevel));
}

function parseLevel(line: string): [string, Level] {
  const [rule = '', given = ''] = line.split('=').map((part) => part.trim());
  const names = lintRules.map(({ name }) => name);
  if (!names.includes(rule))
    throw new Failure(
      `Input "lint-levels" has "${line}", whose rule "${rule}" is none; docs/dockerfile-lint.md lists them.${didYouMean(rule, names)}`,
    );
  const level = LEVELS.find((one) => one === given);
  if (level === undefined)
    throw new Failure(
      `Input "lint-levels" has "${line}"; accepted is rule=level with a level of ${LEVELS.join(', ')}.${didYouMean(given, LEVELS)}`,
    );
  return [rule, level];
}

/** Annotates what the lint finds, with the fix. Findings of the level "error" are a Failure, before anything is made. */
export function lintImage(host: Host, plan: ImagePlan, levels: Readonly<Record<string, Level>>): void {
  const ignore = plan.ignore === undefined ? undefined : createIgnore(plan.ignore.text);
  const findings = lint(plan.dockerfile, {
    levels,
    context: { ignore, named: Object.keys(plan.request.contexts) },
  }).filter((one) => matters(one, plan));
  for (const finding of findings) annotate(host, plan, finding);
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length === 0) return;
  const rules = [...new Set(errors.map(({ rule }) => rule))].join(', ');
  throw new Failure(
    `${plan.dockerfile.path} breaks ${errors.length === 1 ? 'a rule' : `${errors.length} rules`} of the level "error": ${rules}. Mend it, give the rule another level with lint-levels, or put "# slipway-ignore ${errors[0]!.rule}" above the line.`,
  );
}

/** Nothing of a stage that is not built gets into the image; only a secret in its lines is out all the same. */
function matters({ rule, lines }: Finding, { dockerfile, request }: ImagePlan): boolean {
  const stage = dockerfile.stages.find(
    (one) => one.lines.start <= lines.start && lines.start <= one.lines.end,
  );
  const handedIn = stage !== undefined && (stage.name ?? String(stage.index)) in request.handedIn;
  return !handedIn || rule.startsWith('secret');
}

function annotate(host: Host, plan: ImagePlan, { rule, level, message, fix, lines }: Finding): void {
  host.annotate({
    level,
    title: `Dockerfile lint: ${rule}`,
    message: `${message} ${fix}`,
    location: { file: plan.dockerfile.path, line: lines.start, endLine: lines.end },
  });
}
