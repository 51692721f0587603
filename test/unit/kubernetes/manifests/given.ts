import type { Manifest } from '../../../../shared/kubernetes/index.ts';
import { objectsOf } from '../../../../shared/kubernetes/manifests/objects.ts';
import { readYaml } from '../../../../shared/kubernetes/manifests/yaml.ts';

/** The manifests in a text, as if it were the file `given.yaml`. */
export const given = (text: string): Manifest[] => readYaml(text, 'given.yaml').flatMap(objectsOf);

export const objectsIn = (manifests: readonly Manifest[]) => manifests.map(({ object }) => object);
