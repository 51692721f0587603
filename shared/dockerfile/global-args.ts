import { formatPlatform, machinePlatform, normalizePlatform, type Platform } from '../oci/index.ts';
import { readInstruction } from './instruction.ts';
import type { Dockerfile } from './model.ts';
import { within } from './parse.ts';
import type { ResolveOptions } from './resolution.ts';
import { expandText } from './stages.ts';

/** Predefined arguments, then those that stand before the first FROM. */
export function globalArgs(
  dockerfile: Dockerfile,
  platform: Platform,
  options: ResolveOptions,
): Map<string, string> {
  const given = options.buildArgs ?? {};
  const build = normalizePlatform(options.buildPlatform ?? { ...machinePlatform(), os: 'linux' });
  const stage = options.target || dockerfile.stages.at(-1)!.name || 'default';
  const predefined = {
    ...platformArgs('BUILD', build),
    ...platformArgs('TARGET', platform),
    TARGETSTAGE: stage,
  };
  const globals = new Map(Object.entries(predefined).map(([name, value]) => [name, given[name] ?? value]));
  for (const instruction of dockerfile.globalArgs)
    within(dockerfile.path, instruction.lines, () => {
      const statement = readInstruction(instruction, dockerfile.directives.escape);
      for (const { key, value } of statement.kind === 'arg' ? statement.args : []) {
        const expanded =
          given[key] ??
          (value === undefined ? undefined : expandText(dockerfile, value, (name) => globals.get(name)));
        if (expanded !== undefined) globals.set(key, expanded);
      }
    });
  return globals;
}

function platformArgs(prefix: 'BUILD' | 'TARGET', platform: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: formatPlatform(platform),
    [`${prefix}OS`]: platform.os,
    [`${prefix}OSVERSION`]: platform['os.version'] ?? '',
    [`${prefix}ARCH`]: platform.architecture,
    [`${prefix}VARIANT`]: platform.variant ?? '',
  };
}
