import { missing, type Part } from './part.ts';
import { find } from './place.ts';

export interface Tool {
  readonly program: string;
}

/** go-containerregistry's command, whose reading of an image is independent of ours. */
export const crane = () => tool('crane', 'it was not built, see `npm run lab`');

/** A newer buildx than the engine's: it takes attestations that refer to an image into an index (since 0.31). */
export const buildx = () =>
  tool('buildx', 'it was not built, `SLIPWAY_LAB_FULL=1 npm run lab` does it in some minutes');

/** Reads an OCI layout with containers/image, another independent implementation. */
export const skopeo = () => tool('skopeo', 'it is not installed, see `npm run lab`');

/** nektos/act, a workflow runner. */
export const act = () => tool('act', 'it was not built, see `npm run lab`');

/** Makes images of Go programs without Dockerfile and builder: one that the bench measures against. */
export const ko = () =>
  tool('ko', 'it was not built, `SLIPWAY_LAB_FULL=1 npm run lab` does it in some minutes');

/** Reads manifests and renders kustomizations without a cluster. */
export const kubectl = () => tool('kubectl', 'it was not built, see `npm run lab`');

export const go = () => tool('go', 'there is no Go toolchain on the PATH');

function tool(name: string, why: string): Part<Tool> {
  const program = find(name);
  return program === undefined ? missing(why) : { available: true, program };
}
