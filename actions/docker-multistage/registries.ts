import { Failure } from '../../shared/host/index.ts';

/** Reads names of registries; a URL or a repository in the place of one is a Failure. */
export function readRegistries(names: readonly string[]): readonly string[] {
  for (const name of names)
    if (!/^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i.test(name))
      throw new Failure(
        `Input "insecure-registries" has "${name}"; accepted is a host, with its port if it has one, such as registry.internal:5000.`,
      );
  return names;
}
