import { existsSync } from 'node:fs';
import { missing, type Part } from './part.ts';
import { registry, seededStorage } from './registry.ts';

/**
 * Stand-ins for the base images that Dockerfiles name, in the lab's registry under the same names. They are made of busybox and the
 * machine's Go, and have what tests depend on: a shell, users, CA roots, usr-merged folders (debian), two platforms (distroless).
 */
export interface BaseImages {
  /** From the name in a Dockerfile to the reference in the lab's registry. */
  readonly references: Readonly<Record<BaseImageName, string>>;
  /** Arguments for `docker buildx build` that put the lab's images in place of the names. */
  readonly buildContexts: readonly string[];
}

export const repositories = {
  'golang:1.26': 'library/golang:1.26',
  'alpine:3': 'library/alpine:3',
  'debian:bookworm-slim': 'library/debian:bookworm-slim',
  'gcr.io/distroless/static-debian12:nonroot': 'distroless/static-debian12:nonroot',
} as const;

export type BaseImageName = keyof typeof repositories;

export async function baseImages(): Promise<Part<BaseImages>> {
  const home = await registry();
  if (!home.available) return home;
  if (!existsSync(seededStorage)) return missing('the base images were not made, see `npm run lab`');
  const entries = Object.entries(repositories).map(([name, path]) => [name, `${home.host}/${path}`] as const);
  return {
    available: true,
    references: Object.fromEntries(entries) as Record<BaseImageName, string>,
    buildContexts: entries.flatMap(([name, reference]) => [
      '--build-context',
      `${name}=docker-image://${reference}`,
    ]),
  };
}
