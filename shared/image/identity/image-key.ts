import { Key, type KeyPart } from '../../content/index.ts';
import type { StageGraph } from '../../dockerfile/index.ts';
import { formatPlatform, type ImageConfig } from '../../oci/index.ts';
import type { ImageAnnotation } from '../annotations.ts';
import type { ImageRequest } from '../request.ts';

/** The key of an image: its files, and all that is written around them. */
export function imageKeyOf(
  request: ImageRequest,
  graphs: readonly StageGraph[],
  files: Key | undefined,
): Key | undefined {
  if (files === undefined) return undefined;
  return Key.of({
    ...files.parts,
    configurations: Object.fromEntries(
      graphs.map((graph) => [formatPlatform(graph.platform), configuration(graph)]),
    ),
    annotations: Object.fromEntries(request.annotations.map((one) => [placeOf(one), one.value])),
  });
}

function placeOf({ kind, platform, key }: ImageAnnotation): string {
  const place = platform === undefined ? kind : `${kind}[${formatPlatform(platform)}]`;
  return place === 'manifest' ? key : `${place}:${key}`;
}

function configuration({ stages, target }: StageGraph): KeyPart {
  return plain(stages.find(({ index }) => index === target)!.config);
}

function plain(config: ImageConfig): KeyPart {
  return JSON.parse(JSON.stringify(config)) as KeyPart;
}
