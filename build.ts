/**
 * Makes dist/, what runners and bin/slipway execute: an entry for each action's main and post step, the command line, and the
 * chunks that they share. `node build.ts --check` builds into a temporary folder and fails where dist/ differs.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';

const ROOT = import.meta.dirname;
const DIST = join(ROOT, 'dist');
/** What differs between two kinds of checkout and is nobody's change. */
const CHECKED = /\.(mjs|txt)$/;

function entryPoints(): { in: string; out: string }[] {
  const steps = readdirSync(join(ROOT, 'actions'), { withFileTypes: true })
    .filter((one) => one.isDirectory())
    .flatMap(({ name }) => ['main', 'post'].map((step) => ({ name, step })))
    .filter(({ name, step }) => existsSync(join(ROOT, 'actions', name, `${step}.ts`)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    { in: 'bin/cli.ts', out: 'cli' },
    ...steps.map(({ name, step }) => ({ in: `actions/${name}/${step}.ts`, out: `${name}/${step}` })),
  ];
}

/**
 * @actions/core imports an HTTP client, and with it undici, for OpenID tokens alone. Where nobody asks for one, neither has to be
 * in the bundle; esbuild keeps a package that does not say of itself that importing it does nothing.
 */
const droppable: Plugin = {
  name: 'droppable',
  setup: ({ onResolve, resolve }) => {
    onResolve({ filter: /^(undici|tunnel)$/ }, async ({ path, kind, resolveDir, pluginData }) =>
      pluginData === 'real'
        ? undefined
        : { ...(await resolve(path, { kind, resolveDir, pluginData: 'real' })), sideEffects: false },
    );
  },
};

/**
 * `await import('yaml')` of a CommonJS package gives its names in Node, but in a split bundle of esbuild its default alone. So the
 * bundle imports it through a module that names them, as Node does.
 */
const namedExports: Plugin = {
  name: 'named-exports',
  setup: ({ onResolve, onLoad, resolve }) => {
    onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || isBuiltin(path) || pluginData === 'real') return undefined;
      const found = await resolve(path, { kind: 'import-statement', resolveDir, pluginData: 'real' });
      return { path, namespace: 'named-exports', pluginData: { resolveDir, file: found.path } };
    });
    onLoad({ filter: /.*/, namespace: 'named-exports' }, async ({ path, pluginData }) => {
      const { resolveDir, file } = pluginData as { resolveDir: string; file: string };
      const names = Object.keys(await import(pathToFileURL(file).href)).filter((name) =>
        /^[\w$]+$/.test(name),
      );
      return {
        resolveDir,
        contents: `export { ${names.sort().join(', ')} } from ${JSON.stringify(path)};`,
      };
    });
  },
};

/**
 * Parts of packages that are never reached here: the native accelerators of ssh2, which it does without, the BuildKit sessions of
 * dockerode, which bring gRPC and protobuf (builds go through buildx), and of the HTTP client of @sigstore/sign Kerberos, which it
 * does without, and the cache on disk, which nobody turns on.
 */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /\.node$|^(cpu-features|kerberos)$/ }, ({ path }) => ({
      path,
      namespace: 'left-out',
    }));
    onResolve({ filter: /^\.\/(session|buildkit)(\.js)?$/ }, ({ path, importer }) =>
      importer.includes('dockerode') ? { path, namespace: 'left-out' } : undefined,
    );
    onResolve({ filter: /^cacache$/ }, ({ path, importer }) =>
      importer.includes('make-fetch-happen') ? { path, namespace: 'left-out' } : undefined,
    );
    // Asked for when the client is loaded, and used when a cache is opened.
    onLoad({ filter: /^cacache$/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
    onLoad({ filter: /\.node$|^(cpu-features|kerberos)$/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not part of the bundle`)});`,
    }));
    onLoad({ filter: /session|buildkit/, namespace: 'left-out' }, ({ path }) => ({
      contents: `module.exports = function () { throw new Error(${JSON.stringify(`${path} of dockerode is not part of the bundle`)}); };`,
    }));
  },
};

async function bundle(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: entryPoints(),
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Names stay: a stack in a report of a fault has to say where it was.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    plugins: [droppable, leaveOut, namedExports],
    metafile: true,
    logLevel: 'warning',
  });
  await writeFile(join(outdir, 'licenses.txt'), licenses(metafile));
  return metafile;
}

/** The licences of all that is in the bundles, as most of them ask for. */
function licenses(metafile: Metafile): string {
  const packages = new Map<string, string>();
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  for (const [input, { bytesInOutput }] of used) {
    if (bytesInOutput === 0) continue;
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (folder !== undefined && !packages.has(folder)) packages.set(folder, licenseOf(join(ROOT, folder)));
  }
  const texts = [...new Set(packages.values())].sort();
  return `Slipway's bundles contain these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  return `${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n\n')}\n`;
}

async function filesOf(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = existsSync(folder) ? await readdir(folder, { recursive: true, withFileTypes: true }) : [];
  const paths = entries.filter((one) => one.isFile() && CHECKED.test(one.name));
  const read = paths.map(async (one) => {
    const path = join(one.parentPath, one.name);
    return [relative(folder, path).replaceAll('\\', '/'), await readFile(path)] as const;
  });
  return new Map(await Promise.all(read));
}

/** Prints every file that dist/ has differently from what the sources give, and says whether there is none. */
async function check(): Promise<boolean> {
  const fresh = await mkdtemp(join(tmpdir(), 'slipway-dist-'));
  try {
    await bundle(fresh);
    const [wanted, found] = await Promise.all([filesOf(fresh), filesOf(DIST)]);
    const names = [...new Set([...wanted.keys(), ...found.keys()])].sort();
    const differences = names.flatMap((name) => {
      const [left, right] = [wanted.get(name), found.get(name)];
      if (left === undefined) return [`dist/${name} is not made by the sources`];
      if (right === undefined) return [`dist/${name} is missing`];
      return left.equals(right) ? [] : [`dist/${name} differs`];
    });
    for (const line of differences) console.error(line);
    if (differences.length > 0) console.error('Run "npm run build" and commit dist/.');
    else console.log(`dist/ is what the sources give: ${names.length} files`);
    return differences.length === 0;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function make(outdir: string): Promise<void> {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const { outputs } = await bundle(outdir);
  const bytes = Object.values(outputs).reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(
    `${Object.keys(outputs).length} files, ${(bytes / 1e6).toFixed(2)} MB in ${relative(process.cwd(), outdir) || '.'}`,
  );
}

if (process.argv.includes('--check')) process.exitCode = (await check()) ? 0 : 1;
else await make(process.argv[2] ?? DIST);
