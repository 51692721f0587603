import { each } from './image-rules.ts';
import type { Problem, Rule } from './rule.ts';
import { hasFlag, programOf, type ShellCommand, subcommandOf } from './shell-commands.ts';
import type { Line, Part } from './subject.ts';

function mountsOf({ statement }: Line): readonly string[] {
  return statement.kind === 'run' ? statement.mounts : [];
}

const hasCacheMount = (line: Line, path: RegExp) =>
  mountsOf(line).some((mount) => /type=cache/.test(mount) && path.test(mount));
const isApt = (command: ShellCommand) => programOf(command) === 'apt-get' || programOf(command) === 'apt';
const installs = (command: ShellCommand) =>
  isApt(command) && subcommandOf(command, ['install']) !== undefined;
const removes = (line: Line, path: RegExp) =>
  line.commands.some(
    (command) => ['rm', 'find'].includes(programOf(command)) && command.words.some((word) => path.test(word)),
  );

interface Manager {
  readonly name: string;
  readonly matches: (command: ShellCommand) => boolean;
  readonly isClean: (line: Line, command: ShellCommand) => boolean;
  readonly fix: string;
}

/** Package managers and what they leave behind. */
const MANAGERS: readonly Manager[] = [
  {
    name: 'apt',
    matches: installs,
    isClean: (line) =>
      removes(line, /^\/var\/lib\/apt(?:\/lists)?/) || hasCacheMount(line, /\/var\/lib\/apt/),
    fix: 'End the RUN with && rm -rf /var/lib/apt/lists/*, or mount --mount=type=cache,target=/var/lib/apt,sharing=locked.',
  },
  {
    name: 'apk',
    matches: (command) => programOf(command) === 'apk' && subcommandOf(command, ['add']) !== undefined,
    isClean: (line, command) =>
      hasFlag(command, '--no-cache') ||
      removes(line, /^\/var\/cache\/apk/) ||
      hasCacheMount(line, /\/(?:var\/cache|etc)\/apk/),
    fix: 'Write apk add --no-cache.',
  },
  {
    name: 'dnf',
    matches: (command) =>
      ['dnf', 'yum', 'microdnf', 'tdnf'].includes(programOf(command)) &&
      subcommandOf(command, ['install']) !== undefined,
    isClean: (line, command) =>
      line.commands.some((one) => programOf(one) === programOf(command) && one.words.includes('clean')) ||
      removes(line, /^\/var\/cache\/(?:dnf|yum|libdnf5|tdnf)/) ||
      hasCacheMount(line, /\/var\/cache/),
    fix: 'End the RUN with && dnf clean all.',
  },
  {
    name: 'pip',
    matches: (command) =>
      /^pip[\d.]*$/.test(programOf(command)) && subcommandOf(command, ['install']) !== undefined,
    isClean: (line, command) =>
      hasFlag(command, '--no-cache-dir') ||
      command.assignments.some((one) => one.startsWith('PIP_NO_CACHE_DIR=')) ||
      hasCacheMount(line, /pip/),
    fix: 'Write pip install --no-cache-dir, or mount --mount=type=cache,target=/root/.cache/pip.',
  },
  {
    name: 'npm',
    matches: (command) =>
      programOf(command) === 'npm' && subcommandOf(command, ['ci', 'install', 'i']) !== undefined,
    isClean: (line) =>
      line.commands.some((one) => programOf(one) === 'npm' && one.words.includes('cache')) ||
      removes(line, /\.npm/) ||
      hasCacheMount(line, /npm/),
    fix: 'End the RUN with && npm cache clean --force, or mount --mount=type=cache,target=/root/.npm.',
  },
];

const packageCache: Rule = {
  name: 'package-cache',
  level: 'warning',
  summary: 'no package cache is left in a layer of the image',
  hadolint: ['DL3009', 'DL3019', 'DL3032', 'DL3040', 'DL3042'],
  find: (subject) => each(subject, (line, part) => (part.shipped ? findCache(line, part) : undefined)),
};

function findCache(line: Line, part: Part): Problem | undefined {
  for (const manager of MANAGERS) {
    const command = line.commands.find(manager.matches);
    if (command === undefined || manager.isClean(line, command) || isSwitchedOff(part, manager.name))
      continue;
    return {
      instruction: line.instruction,
      message: `The package lists and downloads of ${manager.name} stay in this layer of the image.`,
      fix: manager.fix,
    };
  }
  return undefined;
}

function isSwitchedOff(part: Part, manager: string): boolean {
  return (
    manager === 'pip' &&
    part.lines.some(
      ({ statement }) =>
        statement.kind === 'env' && statement.pairs.some(({ key }) => key === 'PIP_NO_CACHE_DIR'),
    )
  );
}

/** A rule about each command of each RUN. */
function aboutCommand(
  rule: Omit<Rule, 'find'>,
  find: (command: ShellCommand, line: Line, part: Part) => Omit<Problem, 'instruction'> | undefined,
): Rule {
  return {
    ...rule,
    find: (subject) =>
      each(subject, (line, part) => {
        for (const command of line.commands) {
          const found = find(command, line, part);
          if (found !== undefined) return { instruction: line.instruction, ...found };
        }
        return undefined;
      }),
  };
}

const aptAssumeYes = aboutCommand(
  {
    name: 'apt-assume-yes',
    level: 'warning',
    summary: 'apt-get install does not ask',
    hadolint: ['DL3014'],
  },
  (command) => {
    if (
      !installs(command) ||
      ['--yes', '--assume-yes', '-qq'].some((flag) => hasFlag(command, flag)) ||
      hasFlag(command, '-y', 'y')
    )
      return undefined;
    return {
      message: 'apt-get install asks whether to go on, and nobody is there to answer.',
      fix: `Write ${programOf(command)} install -y.`,
    };
  },
);

const aptRecommends = aboutCommand(
  {
    name: 'apt-recommends',
    level: 'notice',
    summary: 'apt-get install takes what is needed only',
    hadolint: ['DL3015'],
  },
  (command, _, part) => {
    if (!part.shipped || !installs(command) || hasFlag(command, '--no-install-recommends')) return undefined;
    if (command.words.some((word) => /Install-Recommends=(?:false|0)/i.test(word))) return undefined;
    return {
      message: 'apt-get install also takes packages that are merely recommended.',
      fix: 'Write apt-get install -y --no-install-recommends.',
    };
  },
);

const aptGet = aboutCommand(
  {
    name: 'apt-get',
    level: 'notice',
    summary: 'apt-get in scripts, apt at a terminal',
    hadolint: ['DL3027'],
  },
  (command) =>
    programOf(command) === 'apt'
      ? {
          message: 'apt is made for people; its output and its options may change.',
          fix: 'Write apt-get, or apt-cache.',
        }
      : undefined,
);

const packageUpgrade = aboutCommand(
  {
    name: 'package-upgrade',
    level: 'notice',
    summary: 'a newer base, not an upgrade of all packages',
    hadolint: ['DL3005', 'DL3017', 'DL3031'],
  },
  (command) => {
    const upgrades = isApt(command)
      ? ['upgrade', 'dist-upgrade', 'full-upgrade']
      : programOf(command) === 'apk'
        ? ['upgrade']
        : [];
    if (subcommandOf(command, upgrades) === undefined) return undefined;
    return {
      message: 'What is upgraded depends on the day, and each changed file is in the image twice.',
      fix: 'Take a newer base image, and install the packages that need a fix by name.',
    };
  },
);

const staleIndex: Rule = {
  name: 'stale-package-index',
  level: 'warning',
  summary: 'apt-get update and install stand in one RUN',
  find: (subject) =>
    each(subject, (line) => {
      const updates = line.commands.some(
        (command) => isApt(command) && subcommandOf(command, ['update']) !== undefined,
      );
      const uses = line.commands.some(
        (command) => isApt(command) && subcommandOf(command, ['update']) === undefined,
      );
      if (!updates || uses || hasCacheMount(line, /\/var\/lib\/apt/)) return undefined;
      return {
        instruction: line.instruction,
        message:
          'apt-get update in a RUN of its own is cached: later installs use an index that is out of date, and fail one day.',
        fix: 'Write RUN apt-get update && apt-get install -y --no-install-recommends … && rm -rf /var/lib/apt/lists/*.',
      };
    }),
};

const cdInRun: Rule = {
  name: 'cd-in-run',
  level: 'notice',
  summary: 'WORKDIR changes the directory',
  hadolint: ['DL3003'],
  find: (subject) =>
    each(subject, ({ instruction, commands }) => {
      const [first] = commands;
      if (first === undefined || programOf(first) !== 'cd' || first.words.length !== 2) return undefined;
      return {
        instruction,
        message: `RUN changes into ${first.words[1]} for itself; the next RUN is back where it was.`,
        fix: `Write WORKDIR ${first.words[1]} above it.`,
      };
    }),
};

const sudo = aboutCommand(
  { name: 'sudo', level: 'warning', summary: 'no sudo in an image', hadolint: ['DL3004'] },
  (command) =>
    programOf(command) === 'sudo' || (isApt(command) && command.words.includes('sudo'))
      ? {
          message: 'sudo behaves oddly without a terminal, and an image with it has a way to root.',
          fix: 'Switch with USER root before and USER … after the commands that need it.',
        }
      : undefined,
);

const pipeToShell: Rule = {
  name: 'pipe-to-shell',
  level: 'warning',
  summary: 'nothing that is downloaded runs unseen',
  hadolint: ['DL4006'],
  find: (subject) =>
    each(subject, ({ instruction, commands }) => {
      const at = commands.findIndex(
        (command, i) =>
          ['curl', 'wget'].includes(programOf(command)) &&
          command.separator === '|' &&
          /^(?:ba|da|z|k)?sh$/.test(programOf(commands[i + 1] ?? command)),
      );
      if (at < 0) return undefined;
      return {
        instruction,
        message:
          'A script is run as it comes from the network: it can change from build to build, and a broken download counts as success.',
        fix: 'Fetch it with ADD --checksum=sha256:… and run the file.',
      };
    }),
};

const chownInRun = aboutCommand(
  { name: 'chown-in-run', level: 'notice', summary: 'owners and modes are set by COPY' },
  (command, _, part) => {
    const program = programOf(command);
    if (
      !part.shipped ||
      (program !== 'chown' && program !== 'chmod') ||
      !hasFlag(command, '--recursive', 'R')
    )
      return undefined;
    return {
      message: `${program} -R copies every file that it touches into a second layer.`,
      fix: `Write COPY --${program}=… where the files come in.`,
    };
  },
);

const buildCacheMount = aboutCommand(
  { name: 'build-cache-mount', level: 'notice', summary: 'go build has a cache mount' },
  (command, line) => {
    if (programOf(command) !== 'go' || subcommandOf(command, ['build', 'install']) === undefined)
      return undefined;
    if (hasCacheMount(line, /go-build|GOCACHE|\/cache|\/root\/\.cache|\/go\b/)) return undefined;
    return {
      message: 'go build without a cache mount compiles every package again whenever one file changes.',
      fix: 'Write RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/go/pkg/mod go build …',
    };
  },
);

export const runRules: readonly Rule[] = [
  packageCache,
  staleIndex,
  aptAssumeYes,
  aptRecommends,
  aptGet,
  packageUpgrade,
  cdInRun,
  sudo,
  pipeToShell,
  chownInRun,
  buildCacheMount,
];
