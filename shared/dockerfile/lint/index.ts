import { didYouMean, Failure } from '../../host/index.ts';
import type { Dockerfile, Instruction, Lines } from '../model.ts';
import { fileRules } from './file-rules.ts';
import { fromRules } from './from-rules.ts';
import { imageRules } from './image-rules.ts';
import type { Level, Problem, Rule } from './rule.ts';
import { runRules } from './run-rules.ts';
import { type ContextFacts, toSubject } from './subject.ts';
import { ignoredNames, isSwitchedOff, readSwitches, type Switches } from './switches.ts';
import { variableRules } from './variable-rules.ts';

export type { Level } from './rule.ts';

/** What a rule found, at the level that it has in this run. */
export interface Finding {
  readonly rule: string;
  readonly level: Exclude<Level, 'off'>;
  /** One sentence: what is wrong and what comes of it. */
  readonly message: string;
  /** What to write instead, in words that can be followed. */
  readonly fix: string;
  readonly lines: Lines;
}

/** How a Dockerfile is looked at; every part may be left out. */
export interface LintOptions {
  /** Levels by rule, in the place of the rules' own. */
  readonly levels?: Readonly<Record<string, Level>> | undefined;
  /** What is known of the build context; rules about it are quiet without. */
  readonly context?: ContextFacts | undefined;
  /** Variables that base images set (`NAME=value`), by what FROM names when arguments have their defaults; without them an unknown variable is no finding. */
  readonly environments?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** A rule as lists of rules show it. */
export interface RuleSummary {
  readonly name: string;
  readonly level: Exclude<Level, 'off'>;
  readonly summary: string;
  readonly buildkit: string | undefined;
  readonly hadolint: readonly string[];
}

const RULES: readonly Rule[] = [...fromRules, ...imageRules, ...fileRules, ...runRules, ...variableRules];

/** All rules, in the order in which they are applied. */
export const lintRules: readonly RuleSummary[] = RULES.map(
  ({ name, level, summary, buildkit, hadolint = [] }) => ({
    name,
    level,
    summary,
    buildkit,
    hadolint,
  }),
);

/**
 * Looks for what makes a Go service's image large, slow to build, insecure or different from build to build. Findings come in the
 * order of their lines. A rule is off for an instruction below `# slipway-ignore rule`, `# check=skip=Rule` or
 * `# hadolint ignore=DL…`, and for the file by the directive `# check=skip=…` or `# hadolint global ignore=…`.
 *
 * @throws Failure for a level of a rule that does not exist.
 */
export function lint(dockerfile: Dockerfile, options: LintOptions = {}): Finding[] {
  const levels = checkLevels(options.levels ?? {});
  const switches = readSwitches(dockerfile);
  const subject = toSubject(dockerfile, options.context, (reference) => options.environments?.get(reference));
  const findings = RULES.flatMap((rule) => {
    const level =
      levels.get(rule.name) ?? (switches.error && rule.buildkit !== undefined ? 'error' : rule.level);
    if (level === 'off') return [];
    return [...rule.find(subject)].flatMap((problem) => toFinding(rule, level, problem, switches));
  });
  return [...findings, ...unknownNames(dockerfile)].sort((a, b) => a.lines.start - b.lines.start);
}

function checkLevels(levels: Readonly<Record<string, Level>>): Map<string, Level> {
  const names = RULES.map((rule) => rule.name);
  for (const [name, level] of Object.entries(levels)) {
    if (!names.includes(name))
      throw new Failure(`"${name}" is no rule of the Dockerfile lint.${didYouMean(name, names)}`);
    if (!['error', 'warning', 'notice', 'off'].includes(level))
      throw new Failure(
        `The rule ${name} has the level "${level}"; accepted are error, warning, notice, off.${didYouMean(level, ['error', 'warning', 'notice', 'off'])}`,
      );
  }
  return new Map(Object.entries(levels));
}

function toFinding(rule: Rule, level: Finding['level'], problem: Problem, switches: Switches): Finding[] {
  if (isSwitchedOff(rule, problem.instruction, switches)) return [];
  const { message, fix, instruction, lines = instruction.lines } = problem;
  return [{ rule: rule.name, level, message, fix, lines }];
}

/** A misspelt name in a `# slipway-ignore` would ignore nothing, and nobody would see why. */
function unknownNames(dockerfile: Dockerfile): Finding[] {
  const names = RULES.map((rule) => rule.name);
  const all = dockerfile.stages.flatMap((stage) => [stage.opening, ...stage.instructions]);
  return all.flatMap((instruction) => misspelt(instruction, names));
}

function misspelt(instruction: Instruction, names: readonly string[]): Finding[] {
  return ignoredNames(instruction).flatMap((name) =>
    names.includes(name)
      ? []
      : [
          {
            rule: 'unknown-rule',
            level: 'warning',
            message: `# slipway-ignore names "${name}", which is no rule.${didYouMean(name, names)}`,
            fix: 'Write the name as the finding shows it.',
            lines: instruction.lines,
          },
        ],
  );
}
