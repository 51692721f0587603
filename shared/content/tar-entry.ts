/** One member of a tar archive, as values. Names are relative, with no leading `./` or `/` and no trailing slash; see nameFromBytes. */
export interface TarEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 unless a file. */
  readonly size: number;
  /** Seconds since 1970, whole. */
  readonly mtime: number;
  /** Target of a symlink (any text) or of a hardlink (the name of an earlier member). */
  readonly linkname?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes (`SCHILY.xattr.` records), such as `security.capability`. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}
