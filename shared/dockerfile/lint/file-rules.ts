import { hasWildcards } from '../glob.ts';
import { cleanPath } from '../go-text.ts';
import type { CopyStatement } from '../instruction.ts';
import { isGitReference, isHttpUrl } from '../remote.ts';
import { each } from './image-rules.ts';
import type { Problem, Rule } from './rule.ts';
import { programOf, type ShellCommand, subcommandOf } from './shell-commands.ts';
import type { Line, Part } from './subject.ts';

/** COPY or ADD out of the build context. */
function fromContext({ statement }: Line): CopyStatement | undefined {
  const isCopy = (statement.kind === 'copy' || statement.kind === 'add') && statement.from === undefined;
  return isCopy ? statement : undefined;
}

const isWhole = (source: string) => cleanPath(source) === '.' || cleanPath(source) === '/';

const addForCopy: Rule = {
  name: 'add-for-copy',
  level: 'warning',
  summary: 'COPY for plain files; ADD for archives and what is fetched',
  hadolint: ['DL3020'],
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      if (statement.kind !== 'add' || statement.unpack !== undefined || !statement.sources.every(isPlain))
        return undefined;
      return {
        instruction,
        message: 'ADD of plain files does what COPY does, but unpacks what happens to be an archive.',
        fix: `Write ${instruction.original.replace(/^add/i, 'COPY')}.`,
      };
    }),
};

function isPlain(source: string): boolean {
  if (source.includes('$') || isHttpUrl(source) || isGitReference(source)) return false;
  return !/\.(?:tar|tar\.\w+|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst)$/i.test(source) && !/[*?\]]$/.test(source);
}

const missingDockerignore: Rule = {
  name: 'missing-dockerignore',
  level: 'warning',
  summary: 'a context that is copied whole has a .dockerignore',
  *find(subject) {
    if (subject.context === undefined || subject.context.ignore !== undefined) return;
    for (const { lines } of subject.stages)
      for (const line of lines) {
        if (!fromContext(line)?.sources.some(isWhole)) continue;
        yield {
          instruction: line.instruction,
          message: `${line.instruction.keyword} takes the whole context, and there is no .dockerignore: .git, local binaries and secrets get into the layer, and any of them changing rebuilds it.`,
          fix: 'Add a .dockerignore with at least .git, the output folders and .env.',
        };
        return;
      }
  },
};

const ignoredSource: Rule = {
  name: 'ignored-source',
  level: 'warning',
  summary: 'what COPY names is not left out by .dockerignore',
  buildkit: 'CopyIgnoredFile',
  *find(subject) {
    const ignore = subject.context?.ignore;
    // With exceptions it takes the files themselves to tell.
    if (ignore === undefined || ignore.patterns.some((pattern) => pattern.startsWith('!'))) return;
    for (const { lines } of subject.stages)
      for (const line of lines)
        for (const source of fromContext(line)?.sources ?? []) {
          const path = cleanPath(source).replace(/^\//, '');
          if (isWhole(source) || isHttpUrl(source) || isGitReference(source) || !ignore.ignores(path, false))
            continue;
          yield {
            instruction: line.instruction,
            message: `${line.instruction.keyword} names ${source}, which .dockerignore leaves out: the build will not find it.`,
            fix: `Take ${source} out of .dockerignore, or add the line !${path}.`,
          };
        }
  },
};

/** Files that mostly hold credentials. */
const SECRET_FILE =
  /(?:^|\/)(?:\.env(?:\.(?!example|sample|template|dist)\w+)?|\.netrc|\.npmrc|\.pypirc|\.git-credentials|id_(?:rsa|ed25519|ecdsa|dsa)|\.aws|\.ssh|\.docker|.*\.(?:key|p12|pfx)|credentials\.json|kubeconfig)\/?$/;

const secretFile: Rule = {
  name: 'secret-file',
  level: 'warning',
  summary: 'no file with credentials is copied into a layer',
  find: (subject) =>
    each(subject, (line) => {
      const source = fromContext(line)?.sources.find(
        (one) => SECRET_FILE.test(one) && !isHttpUrl(one) && !isGitReference(one),
      );
      if (source === undefined) return undefined;
      return {
        instruction: line.instruction,
        message: `${source} looks like a secret; who can pull the image, or the build cache, can read it.`,
        fix: 'Mount it where it is needed: RUN --mount=type=secret,id=…; at run time hand it to the container.',
      };
    }),
};

const worldWritable: Rule = {
  name: 'world-writable',
  level: 'warning',
  summary: 'nothing in the image can be written by everyone',
  find: (subject) =>
    each(subject, ({ instruction, statement, commands }) => {
      const copied = statement.kind === 'copy' || statement.kind === 'add' ? statement.chmod : '';
      const given = [
        copied,
        ...commands.filter((one) => programOf(one) === 'chmod').flatMap((one) => one.words.slice(1)),
      ];
      const mode = given.find(
        (one) => /^0?[0-7]?[0-7]{2}[2367]$/.test(one) || /(?:^|,)(?:a|o|ugo|go)\+[rx]*w/.test(one),
      );
      if (mode === undefined || /^0?1/.test(mode.padStart(4, '0').slice(-4))) return undefined;
      return {
        instruction,
        message: `The mode ${mode} lets every user of the container write.`,
        fix: 'Write 0755 for programs and folders, 0644 for other files, and give what is written at run time to its USER with --chown.',
      };
    }),
};

interface Download {
  readonly matches: (command: ShellCommand) => boolean;
  readonly manifests: RegExp;
  readonly cache: RegExp;
  readonly fix: string;
}

/** Commands that fetch what a manifest lists. */
const DOWNLOADS: readonly Download[] = [
  {
    matches: (command) =>
      programOf(command) === 'go' &&
      (subcommandOf(command, ['build', 'install', 'test', 'generate', 'vet', 'run']) !== undefined ||
        command.words.includes('download')),
    manifests: /(?:^|\/)(?:go\.(?:mod|sum|work)|go\.\*|vendor)/,
    cache: /pkg\/mod|GOMODCACHE/,
    fix: 'Above it write COPY go.mod go.sum ./ and RUN go mod download.',
  },
  {
    matches: (command) =>
      ['npm', 'yarn', 'pnpm'].includes(programOf(command)) &&
      subcommandOf(command, ['ci', 'install', 'i']) !== undefined,
    manifests: /package(?:-lock|\*)?\.json|yarn\.lock|pnpm-lock/,
    cache: /\.npm|\.yarn|pnpm/,
    fix: 'Above it write COPY package.json package-lock.json ./ and RUN npm ci.',
  },
];

const copyBeforeDownload: Rule = {
  name: 'copy-before-download',
  level: 'warning',
  summary: 'dependencies are downloaded before the sources are copied',
  *find({ stages }) {
    for (const part of stages) for (const download of DOWNLOADS) yield* findEarlyCopy(part, download);
  },
};

function* findEarlyCopy({ lines }: Part, download: Download): Generator<Problem> {
  const first = lines.findIndex(({ commands }) => commands.some(download.matches));
  if (first < 0) return;
  const { instruction } = lines[first]!;
  const mounts = instruction.flags.flatMap(({ name, value }) => (name === 'mount' ? [String(value)] : []));
  if (mounts.some((mount) => download.cache.test(mount))) return;
  const copies = lines.slice(0, first).filter((line) => fromContext(line) !== undefined);
  const whole = copies.find((line) => fromContext(line)!.sources.some(isWhole));
  if (whole === undefined || fromContext(whole)!.sources.some((source) => download.manifests.test(source)))
    return;
  yield {
    instruction: whole.instruction,
    message: `All sources are copied before the dependencies are downloaded (line ${instruction.lines.start}): each change of a file downloads them again.`,
    fix: download.fix,
  };
}

const folderDestination: Rule = {
  name: 'folder-destination',
  level: 'warning',
  summary: 'COPY of several sources ends in a folder',
  hadolint: ['DL3021'],
  find: (subject) =>
    each(subject, ({ instruction, statement }) => {
      if (statement.kind !== 'copy' && statement.kind !== 'add') return undefined;
      const { sources, inline, destination } = statement;
      const several = sources.length + inline.length > 1 || sources.some(hasWildcards);
      if (!several || /(?:^|\/)\.{0,2}$/.test(destination) || destination.includes('$')) return undefined;
      // One pattern may well match one file; two sources never fit into one.
      if (sources.length + inline.length < 2) return undefined;
      return {
        instruction,
        message: `${instruction.keyword} puts several sources into ${destination}, which is a folder only if it ends in a slash.`,
        fix: `Write ${destination}/.`,
      };
    }),
};

export const fileRules: readonly Rule[] = [
  addForCopy,
  missingDockerignore,
  ignoredSource,
  secretFile,
  worldWritable,
  copyBeforeDownload,
  folderDestination,
];
