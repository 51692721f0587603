import { posix } from 'node:path';
import { type Directory, lookup, type Node, walk } from '../image/index.ts';

/** The files that a stage has of the context, by their paths in the stage. */
export type StageTree = Directory;

/** Folders that every golang image has, with what one of them may have. They are part of no layer that crosses. */
export const BASE_FOLDERS: readonly string[] = [
  ...[
    '/bin',
    '/dev',
    '/etc',
    '/go',
    '/go/bin',
    '/go/src',
    '/home',
    '/lib',
    '/media',
    '/mnt',
    '/opt',
    '/proc',
    '/root',
  ],
  ...[
    '/run',
    '/sbin',
    '/srv',
    '/sys',
    '/tmp',
    '/usr',
    '/usr/bin',
    '/usr/lib',
    '/usr/local',
    '/usr/local/bin',
  ],
  ...[
    '/usr/local/go',
    '/usr/local/lib',
    '/usr/sbin',
    '/usr/share',
    '/usr/src',
    '/var',
    '/var/lib',
    '/var/tmp',
  ],
];

/** Those that are empty, so that what lies in them is the stage's own. */
export const EMPTY_IN_BASE: ReadonlySet<string> = new Set([
  '/go/bin',
  '/go/src',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/srv',
]);

/** Folders among the system's that are for whoever wants them. */
export const SPARE_SYSTEM = /^\/usr\/(local\/)?src\/[^/]|^\/usr\/app(\/|$)|^\/var\/(www|app)\//;

/** Whether a path is, or lies among, what the base has: nobody here knows what is there. */
export function isOfBase(path: string): boolean {
  if (path === '/' || BASE_FOLDERS.includes(path)) return true;
  if (SPARE_SYSTEM.test(path)) return false;
  return (
    /^\/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|usr|var|root)\//.test(path) ||
    /^\/go\/pkg(\/|$)/.test(path)
  );
}

export function nodeAt(tree: StageTree, path: string): Node | undefined {
  return lookup(tree, path.slice(1));
}

/** The nearest folder, from this one upwards, that has an entry of that name. */
export function nearestWith(tree: StageTree, folder: string, name: string): string | undefined {
  for (let at = folder; ; at = posix.dirname(at)) {
    if (nodeAt(tree, posix.join(at, name)) !== undefined) return at;
    if (at === '/') return undefined;
  }
}

const REPOSITORIES: ReadonlySet<string> = new Set(['.git', '.hg', '.svn', '.bzr', '.fslckout', '_FOSSIL_']);

/** What Go could take a commit from, for packages at or below a folder. */
export function repositoryAround(tree: StageTree, folder: string): string | undefined {
  for (const name of REPOSITORIES) {
    const found = nearestWith(tree, folder, name);
    if (found !== undefined) return posix.join(found, name);
  }
  const node = nodeAt(tree, folder);
  if (node?.type !== 'directory') return undefined;
  for (const { path } of walk(node))
    if (REPOSITORIES.has(posix.basename(path))) return posix.join(folder, path);
  return undefined;
}

/**
 * Why the tree cannot be laid out elsewhere with the same meaning: a link that leaves what is known of the stage, or something that is
 * neither file, folder nor link.
 */
export function strangeNode(tree: StageTree): string | undefined {
  for (const { path, node } of walk(tree)) {
    if (node.type === 'symlink') {
      const target = linkTarget(`/${path}`, node.target);
      if (nodeAt(tree, target) === undefined && isOfBase(target))
        return `/${path} is a link to ${node.target}, among the files of the base`;
    } else if (node.type !== 'file' && node.type !== 'directory') return `/${path} is a ${node.type}`;
  }
  return undefined;
}

/** The path that a link means in the stage: its root is where `..` ends. */
export function linkTarget(path: string, target: string): string {
  return posix.resolve(posix.dirname(path), target);
}
