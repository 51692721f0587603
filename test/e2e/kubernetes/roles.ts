import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import type { Rule } from '../../lab/index.ts';

const README = readFileSync(join(import.meta.dirname, '../../../actions/k8s-rollout/README.md'), 'utf8');

/** The rules of a Role that the action's page gives its readers to copy: `reader` or `deployer`. */
export function rulesOf(role: string): readonly Rule[] {
  const block = new RegExp(`<!-- role: ${role} -->\\s*\`\`\`yaml\\n([\\s\\S]*?)\`\`\``).exec(README)![1]!;
  return parseDocument(block).toJS().rules;
}
