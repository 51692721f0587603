import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { OWN_FOLDER } from '../../shared/content/index.ts';
import {
  type GoBuildRequest,
  type GoPlan,
  isAboveModules,
  type PlannedProgram,
} from '../../shared/go/index.ts';
import { Failure, type Host } from '../../shared/host/index.ts';
import type { GoProgram } from '../../shared/lift/index.ts';
import type { Platform } from '../../shared/oci/index.ts';
import { formatPlatform } from '../../shared/oci/index.ts';
import { buildRequest } from '../go-build/request.ts';
import type { Service, ServiceImage } from './service.ts';
import type { LiftedStage, StagesReading } from './stages.ts';

/**
 * What go-build has to build: the packages that slipway.yml names and those that lifted stages compile, or every main package where
 * neither names one; none for an image at the root of several modules. One request for each folder that go runs in.
 */
export function buildRequests(host: Host, service: Service, reading: StagesReading): GoBuildRequest[] {
  const byDirectory = new Map<string, Set<string>>();
  const add = (directory: string, packages: readonly string[]) => {
    byDirectory.set(directory, new Set([...(byDirectory.get(directory) ?? []), ...packages]));
  };
  if (service.build.packages.length > 0) add(service.directory, service.build.packages);
  for (const stage of reading.lifted)
    for (const program of [...stage.programs.values()].flat())
      add(goDirectory(service, program), program.packages);
  if (byDirectory.size === 0 && (service.image.kind === 'none' || !isAboveModules(service.directory)))
    add(service.directory, []);
  return [...byDirectory].map(([directory, packages]) =>
    buildRequest(
      { ...service.build, 'working-directory': directory, packages: [...packages] },
      host.workspace,
      host.run,
    ),
  );
}

function goDirectory(service: Service, program: GoProgram): string {
  return resolve((service.image as ServiceImage).request.context, program.directory);
}

/** The folder that takes the place of a lifted stage on a platform. */
export function stageFolder(service: Service, stage: LiftedStage, platform: Platform): string {
  return folderOf(service, stage, formatPlatform(platform));
}

function folderOf(service: Service, stage: LiftedStage, platform: string): string {
  return join(service.directory, OWN_FOLDER, 'stages', stage.name, platform.replaceAll('/', '-'));
}

/** Finds the planned program that a line of the Dockerfile compiles for a platform. */
export function plannedFor(
  service: Service,
  program: GoProgram,
  platform: string,
  plans: readonly GoPlan[],
): PlannedProgram {
  const directory = goDirectory(service, program);
  const [name] = program.packages;
  const isIt = (planned: PlannedProgram) =>
    planned.platform === platform &&
    (planned.package.importPath === name || planned.package.directory === resolve(directory, name!));
  const found = plans.flatMap((plan) => plan.programs).find(isIt);
  if (found !== undefined) return found;
  const shown = relative(service.directory, directory) || 'the service’s folder';
  throw new Failure(
    `"${name}", which the Dockerfile builds for ${platform}, is no main package of ${shown}.`,
  );
}

/** Lays the programs out as the lifted stages would have them, and nothing else. Does nothing where they lie there already. */
export function layOutStages(service: Service, reading: StagesReading, plans: readonly GoPlan[]): void {
  for (const stage of reading.lifted) {
    for (const [platform, programs] of stage.programs) {
      const folder = folderOf(service, stage, platform);
      const files = new Map(
        programs.map((program) => [
          join(folder, program.output),
          plannedFor(service, program, platform, plans).output,
        ]),
      );
      removeOthers(folder, [...files.keys()]);
      for (const [path, program] of files) place(program, path);
    }
  }
}

function removeOthers(folder: string, wanted: readonly string[]): void {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const needed = wanted.some((one) => (entry.isDirectory() ? one.startsWith(path + sep) : one === path));
    if (!needed) rmSync(path, { recursive: true, force: true });
  }
}

/** A hard link where the file system has them: the program is there once. */
function place(program: string, path: string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  const source = statSync(program);
  if (there !== undefined && there.ino === source.ino && there.dev === source.dev) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    linkSync(program, temporary);
  } catch {
    copyFileSync(program, temporary);
  }
  renameSync(temporary, path);
}
