import type { Dockerfile, Instruction } from '../model.ts';
import type { Rule } from './rule.ts';

/** What the file itself switches off. */
export interface Switches {
  readonly all: boolean;
  /** Names of BuildKit's and hadolint's rules. */
  readonly skipped: ReadonlySet<string>;
  /** `# check=error=true`: what BuildKit warns of is an error. */
  readonly error: boolean;
}

export function readSwitches(dockerfile: Dockerfile): Switches {
  const check = readCheck(dockerfile.directives.check ?? '');
  const global = /^[ \t]*#[ \t]*hadolint[ \t]+global[ \t]+ignore[ \t]*=[ \t]*(.*)$/gim;
  const codes = [...dockerfile.source.matchAll(global)].flatMap((match) => splitNames(match[1]!));
  return { all: check.all, skipped: new Set([...check.skipped, ...codes]), error: check.error };
}

/** `skip=A,B;error=true`, as BuildKit writes it. */
function readCheck(text: string): { all: boolean; skipped: string[]; error: boolean } {
  const option = (name: string) => new RegExp(`(?:^|;)\\s*${name}\\s*=([^;]*)`).exec(text)?.[1] ?? '';
  const skipped = splitNames(option('skip'));
  return { all: skipped.includes('all'), skipped, error: /^\s*(?:1|t|true)\s*$/i.test(option('error')) };
}

function splitNames(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

export function isSwitchedOff(rule: Rule, instruction: Instruction, switches: Switches): boolean {
  const aliases = [...(rule.buildkit === undefined ? [] : [rule.buildkit]), ...(rule.hadolint ?? [])];
  if (switches.all && rule.buildkit !== undefined) return true;
  if (aliases.some((alias) => switches.skipped.has(alias))) return true;
  return instruction.comments.some((comment) => commentSwitchesOff(comment, rule, aliases));
}

function commentSwitchesOff(comment: string, rule: Rule, aliases: readonly string[]): boolean {
  const ours = slipwayNames(comment);
  if (ours !== undefined) return ours.length === 0 || ours.includes(rule.name);
  const check = /^check\s*=\s*(\S+)/i.exec(comment);
  if (check !== null) {
    const { all, skipped } = readCheck(check[1]!);
    return (all && rule.buildkit !== undefined) || aliases.some((alias) => skipped.includes(alias));
  }
  const hadolint = /^hadolint\s+ignore\s*=\s*(.*)$/i.exec(comment);
  return (
    hadolint !== null && aliases.some((alias) => splitNames(hadolint[1]!.split('#')[0]!).includes(alias))
  );
}

/** `slipway-ignore a, b: why`; without a name everything is meant. */
function slipwayNames(comment: string): string[] | undefined {
  const match = /^slipway-ignore(?![\w-])([^:#]*)/.exec(comment);
  return match === null ? undefined : splitNames(match[1]!.replace(/--.*$/, ''));
}

/** The rules that the comments above an instruction name to `slipway-ignore`. */
export function ignoredNames(instruction: Instruction): readonly string[] {
  return instruction.comments.flatMap((comment) => slipwayNames(comment) ?? []);
}
