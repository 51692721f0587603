import { formatId, idOf } from '../../../kubernetes/index.ts';
import type { RuleDefinition } from '../rule.ts';

export const repeatedKey: RuleDefinition = {
  name: 'repeated-key',
  level: 'warning',
  finds: 'a key that stands more than once in one mapping of a file',
  why: 'the last one counts, as with kubectl, and what was written before it is dropped without a word; kustomize and other readers refuse the file',
  fix: 'one of them',
  *find({ manifests }) {
    for (const manifest of manifests)
      for (const { key, location } of manifest.repeated ?? [])
        yield {
          manifest,
          location,
          message: `The key "${key}" stands here again in ${formatId(idOf(manifest.object))}: only the last one counts.`,
        };
  },
};
