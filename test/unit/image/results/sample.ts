import { digestOf } from '../../../../shared/content/index.ts';
import { type Directory, emptyDirectory, type RegularFile } from '../../../../shared/image/files/tree.ts';

export function fileOf(text: string, more: Partial<RegularFile> = {}): RegularFile {
  const bytes = Buffer.from(text);
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    content: { kind: 'bytes', bytes, digest: digestOf(bytes) },
    ...more,
  };
}

/** A tree with all that a stage's files can have: owners, modes, both kinds of links, attributes, names that are not UTF-8. */
export function sampleTree(): Directory {
  const root = emptyDirectory();
  const out = emptyDirectory({ mode: 0o2775, uid: 7, gid: 8 });
  const app = fileOf('binary', { mode: 0o4750, uid: 12, gid: 34 });
  out.children.set('app', app);
  out.children.set('hard', app);
  out.children.set('link', { type: 'symlink', uid: 5, gid: 6, target: '/etc/passwd' });
  out.children.set('large', fileOf('x'.repeat(40_000)));
  out.children.set('capable', fileOf('c', { xattrs: { 'security.capability': Buffer.from([1, 0, 2]) } }));
  out.children.set('odd\udcff', fileOf('odd'));
  root.children.set('out', out);
  return root;
}
