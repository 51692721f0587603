import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { digestOfFile, Key } from '../content/index.ts';
import type { Task } from '../host/index.ts';
import { type BuildInfo, readBuildInfo } from './build-info.ts';
import { buildArguments } from './flags.ts';
import type { GoPlan, PlannedProgram } from './plan.ts';
import { filesOf } from './program-key.ts';
import type { ProgramRecord } from './record.ts';
import { targetEnvironment } from './target.ts';
import { type Go, go } from './toolchain.ts';

/** Whether a second build, in another folder and from an empty build cache, gave the same bytes. */
export type Reproduction =
  | { readonly kind: 'same'; readonly milliseconds: number }
  | { readonly kind: 'different'; readonly difference: string; readonly milliseconds: number };

/** Builds the program again from a copy of exactly the files in its key, and compares. The module cache is shared: it holds sources. */
export async function reproduce(
  tool: Go,
  plan: GoPlan,
  program: PlannedProgram,
  record: ProgramRecord,
  temporary: string,
  task: Task,
): Promise<Reproduction> {
  const started = performance.now();
  const copy = join(temporary, 'elsewhere', `${process.hrtime.bigint()}`);
  const root = copySources(plan, record, copy);
  const file = join(copy, 'program');
  const directory = join(root, relative(plan.module.root, plan.request.directory));
  mkdirSync(directory, { recursive: true });
  await go(
    { ...tool, directory },
    ['build', ...buildArguments(plan.flags), '-o', file, '--', program.package.importPath],
    {
      env: {
        ...targetEnvironment(program.target),
        CGO_ENABLED: plan.flags.cgo ? '1' : '0',
        GOCACHE: join(copy, 'cache'),
      },
      onLine: (line) => task.log(line),
    },
  );
  const difference = await firstDifference(tool, record, program.output, file);
  const milliseconds = performance.now() - started;
  return difference === undefined
    ? { kind: 'same', milliseconds }
    : { kind: 'different', difference, milliseconds };
}

/** Copies the sources so that files beside the module's root keep their place relative to it. Gives the copy's root. */
function copySources({ module, flags, request }: GoPlan, record: ProgramRecord, copy: string): string {
  const files = filesOf(Key.of(record.parts));
  const up = Math.max(0, ...files.map((file) => file.split('/').filter((part) => part === '..').length));
  const top = resolve(module.root, ...Array<string>(up).fill('..'));
  const root = join(copy, 'src', relative(top, module.root));
  for (const file of files) {
    const target = resolve(root, file);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(resolve(module.root, file), target, { dereference: true });
  }
  copyProfile(module.root, root, profileOf(flags.pgo, record, module.root, request.directory));
  return root;
}

/** The profile that the build takes, absolute; `go list -deps` names the main package last. */
function profileOf(pgo: string, record: ProgramRecord, root: string, directory: string): string | undefined {
  if (pgo === 'off') return undefined;
  if (pgo !== 'auto') return resolve(directory, pgo);
  return resolve(root, record.sources.packages.at(-1)?.directory ?? '.', 'default.pgo');
}

function copyProfile(from: string, to: string, profile: string | undefined): void {
  const inside = profile?.startsWith(from + sep) === true && existsSync(profile);
  if (inside) cpSync(profile, join(to, relative(from, profile)));
}

/** What differs first, in the words of whoever has to find the cause: a setting that Go recorded, else the place in the file. */
async function firstDifference(
  tool: Go,
  record: ProgramRecord,
  first: string,
  second: string,
): Promise<string | undefined> {
  const { digest, size } = await digestOfFile(second);
  if (digest === record.digest) return undefined;
  const again = await readBuildInfo(tool, record.goVersion, second);
  const setting = again && differingSetting(record.buildInfo, again);
  if (setting !== undefined) return setting;
  const place = await differingByte(first, second);
  const sizes = size === record.size ? `both have ${size} bytes` : `${record.size} and ${size} bytes`;
  return `${sizes}, and the first difference is at byte ${place.offset} (${place.first} and ${place.second})`;
}

function differingSetting(a: BuildInfo, b: BuildInfo): string | undefined {
  if (a.GoVersion !== b.GoVersion) return `Go ${a.GoVersion} and ${b.GoVersion}`;
  const values = (info: BuildInfo) =>
    new Map((info.Settings ?? []).map(({ Key: name, Value }) => [name, Value]));
  const [before, after] = [values(a), values(b)];
  for (const name of new Set([...before.keys(), ...after.keys()]))
    if (before.get(name) !== after.get(name))
      return `${name} is ${before.get(name) ?? 'absent'} in one and ${after.get(name) ?? 'absent'} in the other`;
  return undefined;
}

/** Where two files part, with the readable text around that place: a path or a date tells the cause. */
async function differingByte(
  a: string,
  b: string,
): Promise<{ offset: number; first: string; second: string }> {
  const [left, right] = await Promise.all([open(a), open(b)]);
  try {
    const size = 1 << 20;
    const buffers = [Buffer.alloc(size), Buffer.alloc(size)] as const;
    for (let start = 0; ; start += size) {
      const [x, y] = await Promise.all([
        left.read(buffers[0], 0, size, start),
        right.read(buffers[1], 0, size, start),
      ]);
      const p = buffers[0].subarray(0, x.bytesRead);
      const q = buffers[1].subarray(0, y.bytesRead);
      if (p.equals(q) && p.length > 0) continue;
      let i = 0;
      while (i < p.length && p[i] === q[i]) i++;
      return { offset: start + i, first: around(p, i), second: around(q, i) };
    }
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

function around(bytes: Buffer, at: number): string {
  const printable = (byte: number | undefined) => byte !== undefined && byte >= 0x20 && byte < 0x7f;
  let [start, end] = [at, at];
  while (start > 0 && at - start < 40 && printable(bytes[start - 1])) start--;
  while (end - at < 40 && printable(bytes[end])) end++;
  return end - start >= 4
    ? `"${bytes.toString('latin1', start, end)}"`
    : `0x${bytes.toString('hex', at, at + 8)}`;
}
