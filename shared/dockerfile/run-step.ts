import { Failure } from '../host/index.ts';
import { commit, type Draft } from './draft.ts';
import { cleanPath, joinPath } from './go-text.ts';
import { chompHeredoc, parseHeredocWord } from './heredoc.ts';
import type { RunStatement } from './instruction.ts';
import type { Heredoc, RunMount, RunStep, Source } from './model.ts';
import { type Mount, readMount } from './mount.ts';
import { expandWord, type Scene, withShell, workdirOf } from './scene.ts';
import type { Command } from './stages.ts';

export function runStep(scene: Scene, { instruction, sources }: Command, statement: RunStatement): RunStep {
  const { heredocs, lines } = instruction;
  const words = heredocs.length === 0 ? statement.words : [heredocLine(scene, statement.words[0]!, heredocs)];
  const argv = statement.json ? words : withShell(scene, words);
  const mounts = statement.mounts.map((mount, at) =>
    toMount(
      scene,
      readMount(mount, (word) => expandWord(scene, word)),
      sources[at],
    ),
  );
  const createdBy = `RUN ${[...argLines(scene.draft), ...argv].join(' ')} # buildkit`;
  commit(scene.draft, createdBy, true);
  return {
    kind: 'run',
    shell: !statement.json,
    command: statement.json ? words : words.join(' '),
    argv,
    heredocs,
    mounts,
    network: statement.network,
    security: statement.security,
    ...(statement.devices.length > 0 && { devices: statement.devices }),
    env: Object.fromEntries(scene.draft.env),
    workdir: cleanPath(workdirOf(scene.draft)),
    user: scene.draft.config.User ?? '',
    lines,
    createdBy,
  };
}

/** The line that the shell gets: a heredoc alone is the script itself, any other is the shell's to read. */
function heredocLine(scene: Scene, line: string, heredocs: readonly Heredoc[]): string {
  const [first] = heredocs;
  if (first === undefined) return line;
  if (parseHeredocWord(line) === undefined)
    return line + heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('');
  const script = first.chomp ? chompHeredoc(first.content) : first.content;
  const executable = scene.draft.image.os !== 'windows' && script.startsWith('#!');
  return executable ? joinPath('/dev/pipes/', first.name) : script;
}

/** Arguments in force, as the history shows them: `|2 A=1 B=2`. */
function argLines(draft: Draft): string[] {
  const lines = new Map(
    draft.args.map(({ key, value }) => [key, `${key}=${draft.env.get(key) ?? value ?? ''}`]),
  );
  return lines.size === 0 ? [] : [`|${lines.size}`, ...lines.values()];
}

function toMount(scene: Scene, mount: Mount, source: Source | undefined): RunMount {
  const { type, options } = mount;
  const from =
    type === 'bind' || type === 'cache' ? (source ?? (type === 'bind' ? CONTEXT : undefined)) : undefined;
  return { type, target: targetOf(scene, mount), from, options };
}

const CONTEXT: Source = { kind: 'context' };

function targetOf(scene: Scene, { type, target, options }: Mount): string | undefined {
  if (type === 'secret' || type === 'ssh') return target === '' ? undefined : target;
  const path = cleanPath(target.startsWith('/') ? target : joinPath(workdirOf(scene.draft), target));
  if (path !== '/') return path;
  const given = target === '' ? 'has no target' : `has the target "${target}"`;
  throw new Failure(
    `RUN --mount=type=${type}${options.source ? `,source=${options.source}` : ''} ${given}; it needs a path below /.`,
  );
}
