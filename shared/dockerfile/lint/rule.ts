import type { Instruction, Lines } from '../model.ts';
import type { Subject } from './subject.ts';

/** How a finding is shown; `off`: not at all. */
export type Level = 'error' | 'warning' | 'notice' | 'off';

/** Something that a rule found, with what to do about it. */
export interface Problem {
  /** The instruction that it is about; comments right above it can switch the rule off. */
  readonly instruction: Instruction;
  /** One sentence: what is wrong and what comes of it. */
  readonly message: string;
  /** What to write instead, in words that can be followed. */
  readonly fix: string;
  /** Where it is, when not the whole instruction. */
  readonly lines?: Lines;
}

export interface Rule {
  readonly name: string;
  /** The level when nobody says otherwise. */
  readonly level: Exclude<Level, 'off'>;
  /** What the rule asks for, for the list of rules. */
  readonly summary: string;
  /** The same check in BuildKit, under the name by which `# check=skip=` knows it. */
  readonly buildkit?: string;
  /** The same checks in hadolint, by which `# hadolint ignore=` knows them. */
  readonly hadolint?: readonly string[];
  readonly find: (subject: Subject) => Iterable<Problem>;
}
