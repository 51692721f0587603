import { Failure } from '../host/index.ts';
import { findDirective } from './directives.ts';
import { trimSpace } from './go-text.ts';
import { type FromStatement, readInstruction } from './instruction.ts';
import { LineFailure, type LogicalLine, splitLines } from './lines.ts';
import type { Dockerfile, Instruction, Lines, Stage } from './model.ts';
import { splitCommand } from './words.ts';

/**
 * Reads a Dockerfile: what BuildKit's parser accepts is accepted, and means the same.
 *
 * @param path how messages and annotations call the file, relative to the workspace.
 * @throws Failure with the line, for everything that BuildKit refuses before it looks at a base image: an unknown instruction or
 * flag, a missing argument, a heredoc that is never closed, a file without FROM.
 */
export function parseDockerfile(source: string, path: string): Dockerfile {
  return within(path, undefined, () => {
    const split = splitLines(source);
    const instructions = split.logical.map((line) => toInstruction(line, split.escape));
    if (instructions.length === 0) throw new Failure(emptyFile(source));
    const start = instructions.findIndex((instruction) => instruction.keyword !== 'ARG');
    const globalArgs = start < 0 ? instructions : instructions.slice(0, start);
    for (const instruction of instructions) check(path, instruction, split.escape);
    const stages = start < 0 ? [] : toStages(path, instructions.slice(start), split.escape);
    if (stages.length === 0)
      throw new Failure(
        'The Dockerfile has no FROM, so there is nothing to build; a stage starts with FROM image.',
      );
    const syntax = findDirective(source, 'syntax');
    const check_ = findDirective(source, 'check');
    return {
      path,
      source,
      directives: {
        escape: split.escape,
        ...(syntax === undefined ? {} : { syntax }),
        ...(check_ === undefined ? {} : { check: check_ }),
      },
      globalArgs,
      stages,
      emptyContinuations: split.emptyContinuations,
    };
  });
}

/** Instructions of a text that stands by itself, such as an ONBUILD trigger, all placed at the given lines. */
export function parseInstructions(source: string, path: string, lines: Lines): readonly Instruction[] {
  return within(path, lines, () => {
    const split = splitLines(source);
    return split.logical.map((line) => {
      const instruction = { ...toInstruction(line, split.escape), lines };
      readInstruction(instruction, split.escape);
      return instruction;
    });
  });
}

/** Runs `work` and puts a place to the failures that have none. */
export function within<T>(path: string, lines: Lines | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw placed(error, path, lines);
  }
}

/** The error with its place in the Dockerfile; an error that has one, or that is a fault of ours, stays as it is. */
export function placed(error: unknown, path: string, lines: Lines | undefined): unknown {
  if (!(error instanceof Failure) || error.location !== undefined) return error;
  const at = error instanceof LineFailure && lines === undefined ? error.lines : lines;
  const location = at === undefined ? { file: path } : { file: path, line: at.start, endLine: at.end };
  return new Failure(error.message, { location, cause: error });
}

function emptyFile(source: string): string {
  if (source.trim() === '')
    return 'The Dockerfile is empty; it needs at least one line such as FROM scratch.';
  return 'The Dockerfile has comments only; it needs at least one line such as FROM scratch.';
}

function toInstruction(line: LogicalLine, token: string): Instruction {
  const { word, flags, rest } = splitCommand(line.text, token);
  return {
    keyword: word.toUpperCase(),
    word,
    rest,
    flags: flags.map(toFlag),
    heredocs: line.heredocs,
    lines: line.lines,
    original: trimSpace(line.text),
    comments: line.comments,
  };
}

function toFlag(flag: string): Instruction['flags'][number] {
  const equals = flag.indexOf('=');
  if (equals < 0) return { name: flag.slice(2), value: true };
  return { name: flag.slice(2, equals), value: flag.slice(equals + 1) };
}

function check(path: string, instruction: Instruction, token: string): void {
  within(path, instruction.lines, () => readInstruction(instruction, token));
}

function toStages(path: string, instructions: readonly Instruction[], token: string): Stage[] {
  const first = instructions[0]!;
  if (first.keyword !== 'FROM')
    throw placed(
      new Failure(`${first.keyword} stands before the first FROM, where only ARG may stand.`),
      path,
      first.lines,
    );
  const openings = instructions.flatMap((instruction, at) => (instruction.keyword === 'FROM' ? [at] : []));
  return openings.map((at, index) => toStage(index, instructions.slice(at, openings[index + 1]), token));
}

function toStage(index: number, [opening, ...instructions]: readonly Instruction[], token: string): Stage {
  const from = readInstruction(opening!, token) as FromStatement;
  return {
    index,
    name: from.name,
    from: from.base,
    platform: from.platform || undefined,
    lines: { start: opening!.lines.start, end: (instructions.at(-1) ?? opening!).lines.end },
    instructions,
    opening: opening!,
  };
}
