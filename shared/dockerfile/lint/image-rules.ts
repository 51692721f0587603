import type { Instruction } from '../model.ts';
import type { Rule } from './rule.ts';
import { programOf, subcommandOf } from './shell-commands.ts';
import { ancestry, type Line, type Part, rootBase, type Subject } from './subject.ts';

const rootUser: Rule = {
  name: 'root-user',
  level: 'warning',
  summary: 'the image does not run as root',
  hadolint: ['DL3002'],
  *find({ stages }) {
    const final = stages.at(-1)!;
    const user = ancestry(final).flatMap((part) => userOf(part) ?? [])[0];
    if (user === undefined) {
      if (isNonRootBase(final)) return;
      yield {
        instruction: final.stage.opening,
        message: 'No USER in the final stage: the program runs as root.',
        fix: 'Write USER 65532:65532 before ENTRYPOINT; a number works on scratch too, and Kubernetes can check it (runAsNonRoot).',
      };
    } else if (/^(?:root|0)(?::|$)/.test(user.name))
      yield {
        instruction: user.instruction,
        message: `The last USER of the image is ${user.name}: the program runs as root.`,
        fix: 'End with a USER that is not root, such as USER 65532:65532.',
      };
  },
};

function userOf(part: Part): { instruction: Instruction; name: string } | undefined {
  const line = part.lines.findLast(({ statement }) => statement.kind === 'user');
  return line?.statement.kind === 'user'
    ? { instruction: line.instruction, name: line.statement.text }
    : undefined;
}

/** Images that are known to set a user. */
function isNonRootBase(part: Part): boolean {
  const base = rootBase(part);
  if (base.kind === 'unknown') return true;
  if (base.kind !== 'image') return false;
  return /nonroot|rootless|unprivileged/.test(base.text) || base.reference.registry === 'cgr.dev';
}

const toolchainInImage: Rule = {
  name: 'oversized-base',
  level: 'warning',
  summary: 'a static Go binary does not bring a toolchain or a distribution along',
  *find({ stages }) {
    const final = stages.at(-1)!;
    const base = rootBase(final);
    if (base.kind !== 'image') return;
    const instruction = final.stage.opening;
    const fix =
      'Copy the binary into a last stage FROM scratch or FROM gcr.io/distroless/static-debian12:nonroot.';
    if (/(?:^|\/)golang$/.test(base.reference.repository) && runsServer(final))
      yield {
        instruction,
        message: `The image is built on ${base.text} and carries the Go toolchain, some 800 MB that the program never uses.`,
        fix,
      };
    else if (isDistribution(base.reference.repository) && isStaticOnly(stages, final))
      yield {
        instruction,
        message: `The final stage puts a static Go binary on ${base.text} and uses nothing of it.`,
        fix,
      };
  },
};

const runsServer = (part: Part) =>
  ancestry(part).some((one) =>
    one.lines.some(({ statement }) => statement.kind === 'entrypoint' || statement.kind === 'cmd'),
  );

function isDistribution(repository: string): boolean {
  return /^library\/(?:debian|ubuntu|fedora|centos|rockylinux|almalinux|amazonlinux|alpine|busybox|buildpack-deps)$/.test(
    repository,
  );
}

/** The stage runs nothing, takes files from a stage that builds Go without C, and starts one of them directly. */
function isStaticOnly(stages: readonly Part[], final: Part): boolean {
  if (final.base.kind !== 'image' || final.lines.some(({ statement }) => statement.kind === 'run'))
    return false;
  const start = final.lines.findLast(
    ({ statement }) => statement.kind === 'entrypoint' || statement.kind === 'cmd',
  )?.statement;
  if ((start?.kind !== 'entrypoint' && start?.kind !== 'cmd') || !start.json) return false;
  const sources = final.lines.flatMap(({ statement }) =>
    statement.kind === 'copy' && statement.from ? [statement.from.toLowerCase()] : [],
  );
  return stages.some(
    (part) =>
      (sources.includes(part.stage.name ?? '') || sources.includes(String(part.stage.index))) &&
      buildsStaticGo(part),
  );
}

function buildsStaticGo(part: Part): boolean {
  const env = part.lines.some(
    ({ statement }) =>
      statement.kind === 'env' &&
      statement.pairs.some(({ key, value }) => key === 'CGO_ENABLED' && value === '0'),
  );
  return part.lines.some(({ commands }) =>
    commands.some(
      (command) =>
        programOf(command) === 'go' &&
        subcommandOf(command, ['build', 'install']) !== undefined &&
        (env || command.assignments.includes('CGO_ENABLED=0')),
    ),
  );
}

const shellForm: Rule = {
  name: 'shell-form',
  level: 'warning',
  summary: 'CMD and ENTRYPOINT are in JSON form',
  buildkit: 'JSONArgsRecommended',
  hadolint: ['DL3025'],
  *find({ stages }) {
    for (const part of stages) {
      let ownShell = ancestry(part)
        .slice(1)
        .some((one) => one.lines.some(({ statement }) => statement.kind === 'shell'));
      for (const { instruction, statement } of part.lines) {
        ownShell ||= statement.kind === 'shell';
        if ((statement.kind !== 'cmd' && statement.kind !== 'entrypoint') || statement.json || ownShell)
          continue;
        yield {
          instruction,
          message: `${instruction.keyword} in shell form starts /bin/sh: it does not exist on scratch or distroless, and it swallows SIGTERM, so the program cannot shut down in order.`,
          fix: jsonForm(instruction),
        };
      }
    }
  },
};

function jsonForm({ keyword, rest }: Instruction): string {
  if (/[$&|;<>()`*?"'\\~#]/.test(rest) || rest === '') return `Write ${keyword} ["program", "argument"].`;
  return `Write ${keyword} [${rest
    .trim()
    .split(/\s+/)
    .map((word) => `"${word}"`)
    .join(', ')}].`;
}

const repeatedInstruction: Rule = {
  name: 'repeated-instruction',
  level: 'warning',
  summary: 'CMD, ENTRYPOINT and HEALTHCHECK stand once in a stage',
  buildkit: 'MultipleInstructionsDisallowed',
  hadolint: ['DL4003', 'DL4004', 'DL3012'],
  *find({ stages }) {
    for (const { lines } of stages)
      for (const keyword of ['CMD', 'ENTRYPOINT', 'HEALTHCHECK']) {
        const all = lines.filter(({ instruction }) => instruction.keyword === keyword);
        for (const { instruction } of all.slice(0, -1))
          yield {
            instruction,
            message: `Only the last ${keyword} of a stage counts; this one has no effect.`,
            fix: 'Delete it.',
          };
      }
  },
};

const maintainer: Rule = {
  name: 'maintainer',
  level: 'warning',
  summary: 'LABEL org.opencontainers.image.authors, not MAINTAINER',
  buildkit: 'MaintainerDeprecated',
  hadolint: ['DL4000'],
  find: (subject) =>
    each(subject, ({ instruction }) =>
      instruction.keyword === 'MAINTAINER'
        ? {
            instruction,
            message: 'MAINTAINER is deprecated.',
            fix: `Write LABEL org.opencontainers.image.authors="${instruction.rest.replaceAll('"', '')}".`,
          }
        : undefined,
    ),
};

const relativeWorkdir: Rule = {
  name: 'relative-workdir',
  level: 'warning',
  summary: 'the first WORKDIR of a stage is absolute',
  buildkit: 'WorkdirRelativePath',
  hadolint: ['DL3000'],
  *find({ stages }) {
    for (const part of stages) {
      if (
        ancestry(part)
          .slice(1)
          .some((one) => one.lines.some(isWorkdir))
      )
        continue;
      const line = part.lines.find(isWorkdir);
      const path = line?.statement.kind === 'workdir' ? line.statement.text : '/';
      if (!/^["']?[/$]/.test(path))
        yield {
          instruction: line!.instruction,
          message: `WORKDIR ${path} is relative to what the base image happens to have.`,
          fix: `Write WORKDIR /${path.replace(/^\.\//, '')}.`,
        };
    }
  },
};

const isWorkdir = ({ statement }: Line) => statement.kind === 'workdir';

const legacyKeyValue: Rule = {
  name: 'legacy-key-value',
  level: 'warning',
  summary: 'ENV and LABEL are written with `=`',
  buildkit: 'LegacyKeyValueFormat',
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      if ((statement.kind !== 'env' && statement.kind !== 'label') || !statement.pairs[0]!.legacy)
        return undefined;
      const { key, value } = statement.pairs[0]!;
      const quoted = /^[\w./:$@%+,-]+$/.test(value) ? value : `"${value.replaceAll('"', '\\"')}"`;
      return {
        instruction,
        message: `${instruction.keyword} ${key} without "=" is the old form, which takes one pair only.`,
        fix: `Write ${instruction.keyword} ${key}=${quoted}.`,
      };
    }),
};

const exposeFormat: Rule = {
  name: 'expose-format',
  level: 'warning',
  summary: 'EXPOSE names a container port alone',
  buildkit: 'ExposeInvalidFormat',
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      const word =
        statement.kind === 'expose' ? statement.words.find((one) => /^[^$]*:/.test(one)) : undefined;
      if (word === undefined) return undefined;
      return {
        instruction,
        message: `EXPOSE ${word} names an address or a host port, which has no effect.`,
        fix: `Write EXPOSE ${word.split(':').at(-1)}.`,
      };
    }),
};

const exposeCase: Rule = {
  name: 'expose-case',
  level: 'notice',
  summary: 'the protocol of EXPOSE is in lower case',
  buildkit: 'ExposeProtoCasing',
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      const word =
        statement.kind === 'expose'
          ? statement.words.find((one) => /\/(?=.*[A-Z])[A-Za-z]+$/.test(one))
          : undefined;
      return word === undefined
        ? undefined
        : {
            instruction,
            message: `EXPOSE ${word} has its protocol in capitals.`,
            fix: `Write EXPOSE ${word.toLowerCase()}.`,
          };
    }),
};

const emptyContinuation: Rule = {
  name: 'empty-continuation',
  level: 'warning',
  summary: 'no empty line stands between continued lines',
  buildkit: 'NoEmptyContinuation',
  *find({ dockerfile, stages }) {
    const all = [
      ...dockerfile.globalArgs,
      ...stages.flatMap(({ stage }) => [stage.opening, ...stage.instructions]),
    ];
    for (const lines of dockerfile.emptyContinuations) {
      const instruction = all.find((one) => one.lines.start === lines.start);
      if (instruction !== undefined)
        yield {
          instruction,
          message: 'An empty line stands between continued lines; BuildKit means to refuse that one day.',
          fix: 'Delete the empty line, or put # at its start.',
        };
    }
  },
};

/** A rule that looks at each instruction by itself. */
export function* each<T>(subject: Subject, look: (line: Line, part: Part) => T | undefined): Generator<T> {
  for (const part of subject.stages)
    for (const line of part.lines) {
      const found = look(line, part);
      if (found !== undefined) yield found;
    }
}

export const imageRules: readonly Rule[] = [
  rootUser,
  toolchainInImage,
  shellForm,
  repeatedInstruction,
  maintainer,
  relativeWorkdir,
  legacyKeyValue,
  exposeFormat,
  exposeCase,
  emptyContinuation,
];
