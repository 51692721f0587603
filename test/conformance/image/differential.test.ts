import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import {
  type Index,
  openLayout,
  type Platform,
  type ResolvedImage,
  resolveFrom,
} from '../../../shared/oci/index.ts';
import { baseImages, buildkit, crane, describeWith, engine, registry } from '../../lab/index.ts';
import { type Case, cases } from './cases.ts';
import { makeContext } from './context.ts';
import { assemble, plan, requestFor } from './native.ts';
import { buildkitReference, comparable, engineReference, type Reference } from './reference.ts';

const [bases, kit, docker, craneTool, lab] = await Promise.all([
  baseImages(),
  buildkit(),
  engine(),
  crane(),
  registry(),
]);
// `SLIPWAY_REFERENCE=engine` compares with the engine's own builder although a newer BuildKit is there.
const standalone = kit.available && process.env.SLIPWAY_REFERENCE !== 'engine';
const builder = standalone ? kit : docker;

describeWith(
  'assembled images equal those of BuildKit',
  { bases, builder, crane: craneTool, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-differential-'));
    afterAll(() => rmSync(root, { recursive: true, force: true }));
    const reference = (): Reference =>
      standalone && kit.available ? buildkitReference(kit) : engineReference(docker as never);
    const pulled = new Map<string, Promise<string>>();

    const images = async (text: string, platform: Platform): Promise<ResolvedImage> => {
      const folder = await (pulled.get(text) ?? pull(text));
      const layout = await openLayout(folder);
      const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Index;
      return await resolveFrom(layout, index.manifests[0]!.digest, platform);
    };
    const pull = (text: string): Promise<string> => {
      const folder = join(root, `base-${pulled.size}`);
      const work = run({ program: have.crane.program, args: ['pull', '--format=oci', text, folder] }).then(
        () => folder,
      );
      pulled.set(text, work);
      return work;
    };

    const prepare = (one: Case): { folder: string; contexts: Record<string, string> } => {
      const folder = mkdtempSync(join(root, 'case-'));
      const names = {
        '@debian@': 'debian:bookworm-slim',
        '@alpine@': 'alpine:3',
        '@distroless@': 'gcr.io/distroless/static-debian12:nonroot',
      } as const;
      const text = one.dockerfile.replaceAll(
        /@\w+@/g,
        (name) => have.bases.references[names[name as keyof typeof names]],
      );
      makeContext(folder, one.files ?? {});
      writeFileSync(join(folder, 'Dockerfile'), text);
      const contexts: Record<string, string> = {};
      for (const [name, files] of Object.entries(one.contexts ?? {})) {
        contexts[name] = `${folder}-context-${name}`;
        makeContext(contexts[name]!, files);
      }
      return { folder, contexts };
    };

    const native = (one: Case, folder: string, contexts: Record<string, string>) =>
      plan(requestFor(folder, { buildArgs: one.args ?? {}, target: one.target, contexts }), images);

    const equal = cases.filter((one) => one.leftToBuilder === undefined && one.refused === undefined);
    for (const one of equal) {
      const lacking = standalone ? undefined : one.notByEngine;
      const title =
        lacking === undefined ? one.name : `${one.name} [needs buildkit, not the engine: ${lacking}]`;
      it.skipIf(lacking !== undefined)(title, async () => {
        const { folder, contexts } = prepare(one);
        const planned = await native(one, folder, contexts);
        expect(planned.because).toBeUndefined();
        expect(planned.key).toBeDefined();
        const mine = await assemble(planned);
        const theirs = await reference().build(folder, {
          args: one.args ?? {},
          ...(one.target && { target: one.target }),
          contexts,
        });
        const image = `${have.registry.host}/differential:${folder.slice(-6).toLowerCase()}`;
        await run({ program: have.crane.program, args: ['push', mine.layout.directory, image] });
        expect(comparable(mine.config)).toEqual(theirs.config);
        expect(await reference().flatten(image, folder)).toEqual(theirs.tree);
      });
    }

    for (const one of cases.filter(({ leftToBuilder }) => leftToBuilder !== undefined))
      it(`left to a builder: ${one.name}`, async () => {
        const { folder, contexts } = prepare(one);
        const planned = await native(one, folder, contexts);
        expect(planned.how).toBe('builder');
        expect(planned.because?.reason).toMatch(one.leftToBuilder!);
        expect(planned.because?.lines?.start).toBeGreaterThan(0);
      });

    for (const one of cases.filter(({ refused }) => refused !== undefined))
      it(`refused: ${one.name}`, async () => {
        const { folder, contexts } = prepare(one);
        const failure = await native(one, folder, contexts).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(failure).toBeInstanceOf(Failure);
        expect((failure as Failure).message).toMatch(one.refused!);
        expect((failure as Failure).location?.line).toBeGreaterThan(1);
        await expect(reference().build(folder, { contexts })).rejects.toMatchObject({
          stderr: expect.stringContaining('failed to solve'),
        });
      });
  },
);
