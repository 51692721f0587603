import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseDockerfile, resolveGraph } from '../../../shared/dockerfile/index.ts';
import { proveFiles } from '../../../shared/lift/proof.ts';
import { readRecipe } from '../../../shared/lift/recipe.ts';
import { makeContext } from '../../conformance/image/context.ts';
import { requestFor } from '../../conformance/image/native.ts';

const platform = { os: 'linux', architecture: 'amd64' };

/** Why a stage cannot be lifted that has these lines before its build; undefined where it can. */
async function stopper(...lines: string[]): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-brought-'));
  makeContext(folder, {
    'go.mod': 'module example.com/m\n',
    'main.go': 'package main\nfunc main() {}\n',
    netrc: 'machine example.com',
    'mod/example.com/x@v1.0.0/x.go': 'package x\n',
  });
  const build = 'RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /out/app .';
  const text = ['FROM golang AS build', 'WORKDIR /src', ...lines, 'COPY *.go go.mod ./', build];
  const dockerfile = parseDockerfile(
    `${[...text, 'FROM scratch', 'COPY --from=build /out/app /'].join('\n')}\n`,
    'Dockerfile',
  );
  const graph = await resolveGraph(dockerfile, {
    platform,
    configOf: async () => ({
      ...platform,
      config: { Env: ['PATH=/go/bin:/usr/local/go/bin:/bin', 'GOPATH=/go'] },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  });
  const reading = readRecipe(graph, graph.stages[0]!);
  if (reading.kind === 'beyond') return reading.because;
  const proof = await proveFiles(requestFor(folder), reading.recipe, false);
  return proof.kind === 'no' ? proof.because.reason : undefined;
}

it('leaves a stage to a builder that brings modules, or the way to them', async () => {
  expect(await stopper()).toBeUndefined();
  expect(await stopper('RUN mkdir -p /go/pkg/mod')).toBeUndefined();
  expect(await stopper('COPY netrc /root/.netrc')).toContain('access to modules, /root/.netrc');
  expect(await stopper('COPY netrc /root/.ssh/config')).toContain('access to modules, /root/.ssh');
  expect(await stopper('COPY mod /go/pkg/mod')).toContain('modules of its own, /go/pkg/mod');
  expect(await stopper('ENV GOMODCACHE=/modules', 'COPY mod /modules/')).toContain('its own, /modules');
});
