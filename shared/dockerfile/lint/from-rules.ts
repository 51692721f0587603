import { didYouMean } from '../../host/index.ts';
import { parsePlatform } from '../../oci/index.ts';
import type { Instruction } from '../model.ts';
import type { Problem, Rule } from './rule.ts';
import { type Part, type PartBase, type Subject, tryExpand } from './subject.ts';

type ImageBase = Extract<PartBase, { kind: 'image' }>;

function* images({ stages }: Subject): Generator<{ part: Part; base: ImageBase }> {
  for (const part of stages) if (part.base.kind === 'image') yield { part, base: part.base };
}

const latestTag: Rule = {
  name: 'latest-tag',
  level: 'warning',
  summary: 'a base image is named with a version, not with `latest` or nothing',
  hadolint: ['DL3006', 'DL3007'],
  *find(subject) {
    for (const { part, base } of images(subject)) {
      const { tag, digest } = base.reference;
      if (digest !== undefined || (tag !== undefined && tag !== 'latest')) continue;
      yield {
        instruction: part.stage.opening,
        message: `The base image ${base.text} ${tag === undefined ? 'has no tag, which means latest' : 'is the latest one'}: what it is changes without notice.`,
        fix: `Name a version, such as ${base.text.replace(/:latest$/, '')}:1.2.3, and its digest behind it.`,
      };
    }
  },
};

const unpinnedBase: Rule = {
  name: 'unpinned-base',
  level: 'notice',
  summary: 'a base image is pinned by its digest',
  *find(subject) {
    for (const { part, base } of images(subject)) {
      const { tag, digest } = base.reference;
      // Without a version there is a louder rule.
      if (digest !== undefined || tag === undefined || tag === 'latest') continue;
      yield {
        instruction: part.stage.opening,
        message: `The base image ${base.text} is not pinned: the tag can be moved, and the same commit then builds another image.`,
        fix: `Write ${base.text}@sha256:…; \`docker buildx imagetools inspect ${base.text}\` prints the digest, and Renovate or Dependabot keep it fresh.`,
      };
    }
  },
};

const duplicateStage: Rule = {
  name: 'duplicate-stage',
  level: 'warning',
  summary: 'every stage has a name of its own',
  buildkit: 'DuplicateStageName',
  hadolint: ['DL3024'],
  *find({ stages }) {
    const seen = new Set<string>();
    for (const { stage } of stages) {
      if (stage.name !== undefined && seen.has(stage.name))
        yield {
          instruction: stage.opening,
          message: `The stage name "${stage.name}" is used twice: --from=${stage.name} means the last of them, FROM ${stage.name} the last one above it.`,
          fix: 'Give each stage a name of its own.',
        };
      if (stage.name !== undefined) seen.add(stage.name);
    }
  },
};

const reservedStage: Rule = {
  name: 'reserved-stage',
  level: 'warning',
  summary: 'no stage is called `scratch` or `context`',
  buildkit: 'ReservedStageName',
  *find({ stages }) {
    for (const { stage } of stages)
      if (stage.name === 'scratch' || stage.name === 'context')
        yield {
          instruction: stage.opening,
          message: `The stage name "${stage.name}" is a word with a meaning of its own.`,
          fix: `Call the stage something else, such as "${stage.name}-stage".`,
        };
  },
};

/** The third word of FROM, as written. */
function writtenName(opening: Instruction): string | undefined {
  return opening.rest.split(/[\t\v\f\r ]+/)[2];
}

const stageNameCase: Rule = {
  name: 'stage-name-case',
  level: 'notice',
  summary: 'stage names are in lower case',
  buildkit: 'StageNameCasing',
  *find({ stages }) {
    for (const { stage } of stages) {
      const name = writtenName(stage.opening);
      if (name !== undefined && name !== name.toLowerCase())
        yield {
          instruction: stage.opening,
          message: `The stage name "${name}" has capitals, but FROM finds stages by their lower-case names only.`,
          fix: `Write ${name.toLowerCase()}.`,
        };
    }
  },
};

const fromAsCase: Rule = {
  name: 'from-as-case',
  level: 'notice',
  summary: 'FROM and AS are written in the same case',
  buildkit: 'FromAsCasing',
  *find({ stages }) {
    for (const { stage } of stages) {
      const { word, rest } = stage.opening;
      const as = rest.split(/[\t\v\f\r ]+/)[1];
      const wanted =
        word === word.toLowerCase()
          ? as?.toLowerCase()
          : word === word.toUpperCase()
            ? as?.toUpperCase()
            : as;
      if (as !== wanted)
        yield {
          instruction: stage.opening,
          message: `"${word}" and "${as}" are written in different cases.`,
          fix: `Write ${word} … ${wanted}.`,
        };
    }
  },
};

const instructionCase: Rule = {
  name: 'instruction-case',
  level: 'notice',
  summary: 'all instructions are written in the same case',
  buildkit: 'ConsistentInstructionCasing',
  *find({ stages }) {
    const all = stages.flatMap(({ stage }) => [stage.opening, ...stage.instructions]);
    const lower = all.filter(({ word }) => word === word.toLowerCase()).length;
    const upper = all.filter(({ word }) => word === word.toUpperCase()).length;
    for (const instruction of all) {
      const wanted = lower > upper ? instruction.word.toLowerCase() : instruction.keyword;
      if (instruction.word !== wanted)
        yield {
          instruction,
          message: `"${instruction.word}" is written in another case than most instructions here.`,
          fix: `Write ${wanted}.`,
        };
    }
  },
};

const redundantPlatform: Rule = {
  name: 'redundant-platform',
  level: 'notice',
  summary: 'FROM does not ask for the platform that it gets anyway',
  buildkit: 'RedundantTargetPlatform',
  *find({ stages }) {
    for (const { stage } of stages)
      if (/^\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(stage.platform ?? ''))
        yield {
          instruction: stage.opening,
          message: `--platform=${stage.platform} is the default.`,
          fix: 'Leave the flag out.',
        };
  },
};

const constantPlatform: Rule = {
  name: 'constant-platform',
  level: 'warning',
  summary: 'FROM --platform takes an argument, not a constant',
  buildkit: 'FromPlatformFlagConstDisallowed',
  hadolint: ['DL3029'],
  *find(subject) {
    for (const { stage } of subject.stages) {
      const platform = constantOf(subject, stage.platform);
      // A stage that has the platform in its name means it.
      if (platform === undefined) continue;
      if (stage.name?.includes(platform.os) || stage.name?.includes(platform.architecture)) continue;
      yield {
        instruction: stage.opening,
        message: `FROM --platform=${stage.platform} builds for that platform whatever the build is for.`,
        fix: 'Write --platform=$BUILDPLATFORM for a stage that cross-compiles, and no flag for the final stage.',
      };
    }
  },
};

function constantOf({ dockerfile, globals }: Subject, text: string | undefined) {
  const expansion = text === undefined ? undefined : tryExpand(dockerfile, text, globals);
  if (expansion === undefined || expansion.used.size + expansion.missing.size > 0) return undefined;
  try {
    return parsePlatform(expansion.word);
  } catch {
    return undefined;
  }
}

const undefinedFromArgument: Rule = {
  name: 'undefined-from-argument',
  level: 'warning',
  summary: 'FROM uses arguments that are declared before the first FROM',
  buildkit: 'UndefinedArgInFrom',
  *find({ dockerfile, stages, globals, globalNames }) {
    const known = [...new Set([...globalNames, ...globals.keys()])];
    for (const { stage } of stages)
      for (const text of [stage.from, stage.platform ?? '']) {
        const missing = tryExpand(dockerfile, text, globals)?.missing ?? new Set<string>();
        for (const name of missing) if (!known.includes(name)) yield undefinedIn(stage.opening, name, known);
      }
  },
};

function undefinedIn(instruction: Instruction, name: string, known: readonly string[]): Problem {
  return {
    instruction,
    message: `FROM uses $${name}, which no ARG before the first FROM declares; it is empty.${didYouMean(name, known)}`,
    fix: `Write ARG ${name}=… above the first FROM.`,
  };
}

const invalidDefaultBase: Rule = {
  name: 'invalid-default-base',
  level: 'warning',
  summary: 'FROM names an image also when no build argument is given',
  buildkit: 'InvalidDefaultArgInFrom',
  *find({ stages }) {
    for (const { stage, base } of stages)
      if (base.kind === 'unknown' && stage.from.includes('$'))
        yield {
          instruction: stage.opening,
          message: `FROM ${stage.from} names no valid image when the build arguments are not given.`,
          fix: 'Give the ARG a default, such as ARG VERSION=1.26.',
        };
  },
};

export const fromRules: readonly Rule[] = [
  latestTag,
  unpinnedBase,
  duplicateStage,
  reservedStage,
  stageNameCase,
  fromAsCase,
  instructionCase,
  redundantPlatform,
  constantPlatform,
  undefinedFromArgument,
  invalidDefaultBase,
];
