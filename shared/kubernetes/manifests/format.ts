import { Document, isScalar, visit } from 'yaml';
import type { KubeObject } from '../objects.ts';
import { readScalar, ScalarError } from './scalar.ts';

const FIRST = ['apiVersion', 'kind', 'metadata', 'spec'];

/** Objects as a stream of YAML documents that kubectl and Argo CD read back as the same objects; equal objects give equal text. */
export const formatManifests = (objects: readonly KubeObject[]): string =>
  objects.map(formatManifest).join('---\n');

function formatManifest(object: KubeObject): string {
  const keys = [
    ...FIRST.filter((key) => key in object),
    ...Object.keys(object).filter((key) => !FIRST.includes(key)),
  ];
  const document = new Document(Object.fromEntries(keys.map((key) => [key, object[key]])), {
    version: '1.2',
    aliasDuplicateObjects: false,
  });
  visit(document, (_, node) => {
    // Text that is something else to a reader of YAML 1.1 or 1.2, such as "on" or "0o17", is kept text by quotes.
    if (isScalar(node) && typeof node.value === 'string' && !isPlainText(node.value))
      node.type = 'QUOTE_DOUBLE';
  });
  return document.toString({ lineWidth: 0, directives: false });
}

/** Whether text stays text without quotes; also what YAML 1.1 proper reads as numbers to the base 60 is put in quotes. */
function isPlainText(text: string): boolean {
  try {
    return (
      readScalar(text, true, undefined) === text &&
      !/^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.\d*)?$/.test(text) &&
      !/^\d{4}-\d/.test(text)
    );
  } catch (error) {
    if (error instanceof ScalarError) return false;
    throw error;
  }
}
