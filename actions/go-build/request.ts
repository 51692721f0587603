import { resolve } from 'node:path';
import type { GoBuildRequest, GoFlags } from '../../shared/go/index.ts';
import { Failure, type Inputs, type RunContext } from '../../shared/host/index.ts';
import type { definition } from './definition.ts';

export type GoBuildInputs = Inputs<typeof definition>;

/** Turns the inputs into what the go room is asked to build. Throws a Failure for inputs that contradict each other. */
export function buildRequest(inputs: GoBuildInputs, workspace: string, run: RunContext): GoBuildRequest {
  const directory = resolve(workspace, inputs['working-directory']);
  const checksums =
    inputs.checksums === 'off' ? undefined : resolve(directory, inputs.output, inputs.checksums);
  return {
    directory,
    workspace,
    packages: inputs.packages,
    targets: inputs.targets,
    flags: buildFlags(inputs),
    environment: variables(inputs.env),
    ...(inputs.toolchain && { toolchain: inputs.toolchain }),
    output: { directory: inputs.output, name: inputs['output-name'] },
    reuse: inputs.reuse,
    ...(inputs.jobs !== undefined && { jobs: inputs.jobs }),
    ...(inputs['max-size'] !== undefined && { maxSize: inputs['max-size'] }),
    sbom: inputs.sbom,
    ...(checksums && { checksums }),
    verify: inputs.verify,
    known: { tag: run.tag, branch: run.branch },
  };
}

/** The flags of the inputs, for other actions whose configuration has them too. */
export function buildFlags(inputs: GoBuildInputs): GoFlags {
  return {
    ldflags: inputs.ldflags,
    stamp: inputs.stamp,
    tags: inputs.tags,
    trimpath: inputs.trimpath,
    buildvcs: inputs.buildvcs,
    gcflags: inputs.gcflags,
    asmflags: inputs.asmflags,
    mod: inputs.mod === 'auto' ? '' : inputs.mod,
    cgo: inputs.cgo,
    race: inputs.race,
    cover: inputs.cover,
    coverPackages: inputs['cover-packages'],
    pgo: inputs.pgo,
    buildmode: inputs.buildmode,
    extra: inputs.flags,
  };
}

/** NAME=value lines as a map. */
export function variables(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf('=');
      if (equals < 1) throw new Failure(`Input "env" has the line "${line}"; accepted are lines NAME=value.`);
      return [line.slice(0, equals).trim(), line.slice(equals + 1).trim()];
    }),
  );
}
