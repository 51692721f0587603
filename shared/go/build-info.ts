import { parseStream } from './packages.ts';
import { compareVersions, type Go, go } from './toolchain.ts';

/** What a Go program says about itself: `debug/buildinfo`, as `go version -m -json` prints it. */
export interface BuildInfo {
  readonly GoVersion: string;
  /** Import path of the main package. */
  readonly Path: string;
  readonly Main: ModuleInfo;
  readonly Deps?: readonly ModuleInfo[];
  readonly Settings?: readonly { readonly Key: string; readonly Value: string }[];
}

/** A module in a program (`debug.Module`). */
export interface ModuleInfo {
  readonly Path: string;
  readonly Version?: string;
  /** The go.sum hash, `h1:` and base64. */
  readonly Sum?: string;
  readonly Replace?: ModuleInfo;
}

/** Reads the build info of a program with the go command that built it; undefined when the file holds none. */
export async function readBuildInfo(
  tool: Go,
  goVersion: string,
  file: string,
): Promise<BuildInfo | undefined> {
  const json = compareVersions(goVersion, 'go1.25') >= 0;
  const { stdout } = await go(tool, ['version', '-m', ...(json ? ['-json'] : []), file], { accept: [0, 1] });
  const text = stdout.toString();
  return json ? parseStream<BuildInfo>(text)[0] : parseBuildInfo(text);
}

/** The text form, which Go before 1.25 alone has: a line `file: version`, then tab-separated lines. */
export function parseBuildInfo(text: string): BuildInfo | undefined {
  const [head = '', ...lines] = text.split(/\r?\n/);
  const version = /: (go\S+|devel .*)$/.exec(head)?.[1];
  if (version === undefined) return undefined;
  const info: {
    Path: string;
    Main: ModuleInfo;
    Deps: ModuleInfo[];
    Settings: { Key: string; Value: string }[];
  } = {
    Path: '',
    Main: { Path: '' },
    Deps: [],
    Settings: [],
  };
  for (const line of lines) {
    const [, kind, first = '', second, third] = line.split('\t');
    if (kind === 'path') info.Path = first;
    else if (kind === 'mod') info.Main = moduleInfo(first, second, third);
    else if (kind === 'dep') info.Deps.push(moduleInfo(first, second, third));
    else if (kind === '=>')
      info.Deps.push({ ...info.Deps.pop()!, Replace: moduleInfo(first, second, third) });
    else if (kind === 'build') info.Settings.push(setting(first));
  }
  return { GoVersion: version, ...info };
}

function moduleInfo(path: string, version?: string, sum?: string): ModuleInfo {
  return { Path: path, ...(version && { Version: version }), ...(sum && { Sum: sum }) };
}

/** `-ldflags="-s -w"`: a value with blanks or quotes is quoted as Go writes strings. */
function setting(text: string): { Key: string; Value: string } {
  const split = text.startsWith('"') ? text.indexOf('"=', 1) + 1 : text.indexOf('=');
  return { Key: unquoted(text.slice(0, split)), Value: unquoted(text.slice(split + 1)) };
}

function unquoted(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}
