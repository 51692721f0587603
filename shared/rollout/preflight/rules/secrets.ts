import { formatId, idOf, type Manifest } from '../../../kubernetes/index.ts';
import type { Problem, RuleDefinition } from '../rule.ts';
import { secretLine, secretShape } from '../secret-shape.ts';
import { fieldsOf, listOf, textsOf } from '../workload.ts';

export const plainSecret: RuleDefinition = {
  name: 'plain-secret',
  level: 'warning',
  finds:
    'private keys, tokens, passwords and addresses with passwords in a ConfigMap or in `env`; the value is never shown',
  why: 'everyone who may read the repository, the ConfigMap or the pod has it, and it shows in `kubectl describe`',
  fix: 'a Secret, and `valueFrom.secretKeyRef`; change what was in the open',
  *find({ manifests, workloads }) {
    for (const { manifest, id, containers } of workloads)
      for (const { container, path } of containers)
        for (const [index, one] of listOf(container.env).entries()) {
          const { name, value } = fieldsOf(one);
          if (typeof name !== 'string' || typeof value !== 'string') continue;
          const shape = secretShape(name, value);
          if (shape === undefined) continue;
          yield {
            manifest,
            path: [...path, 'env', index, 'value'],
            message: `Variable ${name} of container ${container.name} (${formatId(id)}) holds ${shape}, in the open.`,
            fix: `- name: ${name}\n  valueFrom:\n    secretKeyRef: { name: ${id.name}, key: ${name.toLowerCase().replaceAll('_', '-')} }`,
          };
        }
    for (const manifest of manifests)
      if (manifest.object.kind === 'ConfigMap') yield* configMapSecrets(manifest);
  },
};

function* configMapSecrets(manifest: Manifest): Iterable<Problem> {
  const { object } = manifest;
  for (const [key, value] of Object.entries(textsOf(object.data))) {
    const whole = secretShape(key, value);
    const inside = value.includes('\n') || /[:=]/.test(value) ? secretLine(value) : undefined;
    const shape = whole ?? inside?.shape;
    if (shape === undefined) continue;
    const where = inside === undefined ? key : `${inside.name} in line ${inside.line + 1} of ${key}`;
    yield {
      manifest,
      path: ['data', key],
      message: `${where} of ${formatId(idOf(object))} holds ${shape}, in the open.`,
      fix: `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${object.metadata.name}\nstringData:\n  ${key}: …  # from your secret store, not from the repository`,
    };
  }
}

export const secretBase64: RuleDefinition = {
  name: 'secret-base64',
  level: 'error',
  finds: '`data` of a Secret (`binaryData` of a ConfigMap) that is not Base64, or is encoded twice (warning)',
  why: 'the API server refuses it; what was encoded twice reaches the program encoded',
  fix: '`stringData` for plain text, which the API server encodes',
  *find({ manifests }) {
    for (const manifest of manifests) {
      const { object } = manifest;
      const field =
        object.kind === 'Secret' ? 'data' : object.kind === 'ConfigMap' ? 'binaryData' : undefined;
      if (field === undefined || object.apiVersion !== 'v1') continue;
      for (const [key, value] of Object.entries(fieldsOf(object[field]))) {
        const at = { manifest, path: [field, key] };
        const of = `${field}.${key} of ${formatId(idOf(object))}`;
        const plain = field === 'data' ? `stringData:\n  ${key}: …  # the text itself` : undefined;
        if (value === null) continue;
        if (typeof value !== 'string' || !isBase64(value))
          yield {
            ...at,
            message: `${of} is not Base64${reasonOf(value)}: the API server refuses it.`,
            fix: plain,
          };
        else if (isEncodedTwice(value))
          yield {
            ...at,
            message: `${of} is Base64 of Base64: the program would read the encoded text.`,
            fix: plain,
            atMost: 'warning',
          };
      }
    }
  },
};

function reasonOf(value: unknown): string {
  if (typeof value !== 'string') return `, it is a ${typeof value}`;
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(value);
  if (wrong === null) return ', its length or padding is wrong';
  return /[-_]/.test(wrong[0]) ? ', it has the characters of URLs' : '';
}

/** As Go's encoding/base64.StdEncoding reads it: padded, line ends ignored. */
export function isBase64(text: string): boolean {
  const packed = text.replace(/[\r\n]/g, '');
  return packed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(packed);
}

/** What it decodes to is itself the encoding of a text, padded or ended as encoders do; short words that only look so do not count. */
function isEncodedTwice(text: string): boolean {
  const once = Buffer.from(text, 'base64').toString('latin1').trim();
  if (once.length < 12 || !isBase64(once)) return false;
  const twice = Buffer.from(once, 'base64');
  return /^[\t\n\r\x20-\x7e]+$/.test(twice.toString('latin1')) && (once.endsWith('=') || twice.length >= 24);
}
