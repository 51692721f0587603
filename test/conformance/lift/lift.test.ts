import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readTar } from '../../../shared/content/index.ts';
import { ExecError, run } from '../../../shared/exec/index.ts';
import {
  type Directory,
  type ImageRequest,
  planImage,
  type ResolveImage,
  walk,
} from '../../../shared/image/index.ts';
import { liftStages } from '../../../shared/lift/index.ts';
import { parsePlatform, RegistryClient, resolveImage } from '../../../shared/oci/index.ts';
import { baseImages, buildkit, crane, describeWith, go, registry } from '../../lab/index.ts';
import { makeContext } from '../image/context.ts';
import { quiet, requestFor } from '../image/native.ts';
import { type LiftCase, lifted, refused, samePaths } from './cases.ts';
import { moduleProxy } from './module-proxy.ts';

const [bases, kit, craneTool, lab] = await Promise.all([baseImages(), buildkit(), crane(), registry()]);

/** Each takes a build in a container: two thirds of them unless all are asked for. */
const sampled = process.env.SLIPWAY_FULL === '1' ? lifted : lifted.filter((_, at) => at % 3 !== 1);

describeWith(
  'lifted stages are the same bytes as BuildKit’s',
  { bases, buildkit: kit, crane: craneTool, registry: lab, go: go() },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-lift-'));
    let profile = Buffer.alloc(0);
    let version = '';
    let proxy: Awaited<ReturnType<typeof moduleProxy>>;
    const isolated = run({ program: 'unshare', args: ['--mount', 'mount', '--bind', root, root] }).then(
      () => true,
      () => false,
    );
    const client = new RegistryClient({ credentials: async () => undefined } as never);
    const images: ResolveImage = async (reference, platform) => {
      const found = await resolveImage(
        client,
        reference.replace(/^docker\.io/, have.registry.host),
        platform,
      );
      if (!reference.includes('golang')) return found;
      // What every golang image says of itself and the lab's does not.
      const { config } = found;
      const Env = [...(config.config?.Env ?? []), `GOLANG_VERSION=${version}`];
      return { ...found, config: { ...config, config: { ...config.config, Env } } };
    };

    beforeAll(async () => {
      const told = await run({ program: 'go', args: ['env', 'GOVERSION', 'GOROOT'] });
      const [own = '', goroot = ''] = told.stdout.toString().trim().split('\n');
      version = own.replace(/^go/, '');
      proxy = await moduleProxy();
      profile = readFileSync(join(goroot, 'src/cmd/compile/default.pgo'));
    });
    afterAll(async () => {
      client.close();
      await proxy?.[Symbol.asyncDispose]();
      await run({ program: 'chmod', args: ['-R', 'u+w', root], accept: [0, 1] });
      rmSync(root, { recursive: true, force: true });
    });

    const prepare = (one: LiftCase): ImageRequest => {
      const folder = mkdtempSync(join(root, 'case-'));
      makeContext(
        folder,
        Object.fromEntries(
          Object.entries(one.files).map(([name, file]) => [
            name,
            typeof file === 'object' && 'profile' in file ? '' : file,
          ]),
        ),
      );
      for (const [name, file] of Object.entries(one.files))
        if (typeof file === 'object' && 'profile' in file) writeFileSync(join(folder, name), profile);
      writeFileSync(join(folder, 'Dockerfile'), one.dockerfile.replaceAll('@proxy@', proxy.address));
      return requestFor(folder, {
        buildArgs: one.args ?? {},
        ...(one.platform && { platforms: [parsePlatform(one.platform)] }),
      });
    };

    const lift = (one: LiftCase, request: ImageRequest) =>
      liftStages(request, {
        // Modules are fetched by whoever needs them.
        env: {
          ...process.env,
          ...one.env,
          ...(one.modules && { GOMODCACHE: mkdtempSync(join(root, 'mod-')) }),
        },
        temporary: `${request.context}-tmp`,
        planOnly: false,
        images,
      });

    it.each(samePaths)('$name', { timeout: 600_000 }, async (one) => {
      await same(one, (await isolated) ? undefined : /-trimpath/);
    });

    it.each(sampled)('$name', { timeout: 600_000 }, (one) => same(one));

    it('the storefront', { timeout: 900_000 }, async () => {
      const example = join(import.meta.dirname, '../../../examples/storefront');
      const dockerfile = readFileSync(join(example, 'Dockerfile'), 'utf8');
      await same({
        name: 'the storefront',
        files: filesOf(example),
        modules: true,
        dockerfile: dockerfile.replace('WORKDIR /src', 'ENV GOPROXY=@proxy@ GOSUMDB=off\nWORKDIR /src'),
      });
    });

    const same = async (one: LiftCase, because?: RegExp) => {
      const request = prepare(one);
      const [platform] = request.platforms;
      const stages = lift(one, request);
      const handedIn: Record<string, () => string> = {};
      for (const name of one.stages ?? ['build']) {
        const stopped = await stages[name]!.prove(platform!);
        if (because !== undefined) return expect(stopped?.reason).toMatch(because);
        expect(stopped).toBeUndefined();
        const folder = await stages[name]!.make(platform!, quiet);
        handedIn[name] = () => folder;
      }
      const plan = await planImage({ ...request, handedIn }, images, `${request.context}-tmp`);
      const mine = listing((await plan.complete()).platforms[0]!.final!.files);
      const theirs = await built(one, request.context);
      expect(Object.keys(theirs).length).toBeGreaterThan(0);
      expect(mine).toEqual(theirs);
    };

    it.each(refused)('refused: $name', async (one) => {
      const request = prepare(one);
      const because = await lift(one, request)[one.stages?.[0] ?? 'build']?.prove(request.platforms[0]!);
      expect(because?.reason).toMatch(one.because);
      const line = one.dockerfile.split('\n').findIndex((text) => text.startsWith(one.line)) + 1;
      expect(line).toBeGreaterThan(0);
      expect(because?.lines?.start).toBe(line);
    });

    /** The files of the image as BuildKit makes them. Its compiled packages are kept between cases, which changes no byte. */
    const built = async (one: LiftCase, folder: string): Promise<Record<string, string>> => {
      const source = mkdtempSync(`${folder}-dockerfile-`);
      const text = readFileSync(join(folder, 'Dockerfile'), 'utf8').replaceAll(
        /^RUN (?!.*go-build)/gm,
        `RUN --mount=type=cache,target=/root/.cache/go-build,id=lift `,
      );
      writeFileSync(join(source, 'Dockerfile'), text);
      const tar = join(source, 'files.tar');
      await run({
        program: have.buildkit.buildctl,
        // biome-ignore format: one flag with its value a line
        args: [
          '--addr', have.buildkit.address, 'build', '--frontend', 'dockerfile.v0', '--progress', 'plain',
          '--local', `context=${folder}`, '--local', `dockerfile=${source}`,
          ...Object.entries(one.args ?? {}).flatMap(([name, value]) => ['--opt', `build-arg:${name}=${value}`]),
          ...(one.platform === undefined ? [] : ['--opt', `platform=${one.platform}`]),
          ...(one.modules ? ['--allow', 'network.host', '--opt', 'force-network-mode=host'] : []),
          '--output', `type=tar,dest=${tar}`,
        ],
      }).catch((error: unknown) => {
        throw new Error(error instanceof ExecError ? error.stderr : String(error), { cause: error });
      });
      return await listTar(tar);
    };
  },
);

function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    names
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .filter((name) => !name.startsWith('.slipway'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

function listing(files: Directory): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, node } of walk(files)) {
    const owner = `${node.uid}:${node.gid}`;
    if (node.type === 'file') {
      if (node.content.kind !== 'disk') throw new Error(`${path} is a ${node.content.kind}`);
      const bytes = readFileSync(node.content.path);
      found[path] = `file ${node.mode.toString(8)} ${owner} ${bytes.length} ${hash(bytes)}`;
    } else found[path] = `${node.type} ${'mode' in node ? node.mode.toString(8) : node.target} ${owner}`;
  }
  return found;
}

async function listTar(path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { entry, content } of readTar(createReadStream(path))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const { name, type, mode, uid, gid, linkname } = entry;
    found[name.replace(/\/$/, '')] =
      type === 'file'
        ? `file ${mode.toString(8)} ${uid}:${gid} ${bytes.length} ${hash(bytes)}`
        : `${type} ${type === 'symlink' ? linkname : mode.toString(8)} ${uid}:${gid}`;
  }
  return found;
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 24);
}
