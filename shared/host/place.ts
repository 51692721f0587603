import { isAbsolute, relative } from 'node:path';
import type { Annotation } from './host.ts';

/** The annotation with its file as a runner and an editor find it: relative to the workspace where it is inside, with slashes. */
export function atWorkspace(annotation: Annotation, workspace: string): Annotation {
  const { location } = annotation;
  if (location === undefined) return annotation;
  const inside = isAbsolute(location.file) ? relative(workspace, location.file) : location.file;
  const file = inside.startsWith('..') || isAbsolute(inside) ? location.file : inside;
  return { ...annotation, location: { ...location, file: file.replaceAll('\\', '/').replace(/^\.\//, '') } };
}
