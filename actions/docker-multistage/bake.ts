import { writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { ExecError, run } from '../../shared/exec/index.ts';
import { Failure, type Host, type Inputs } from '../../shared/host/index.ts';
import type { definition } from './definition.ts';
import { checkNames, type ImageSpec } from './images.ts';

/** A value that buildx prints as an object of attributes, or did as a line of them before 0.20. */
type Attributes = string | Readonly<Record<string, string>>;

/** A target as `docker buildx bake --print` resolves it: variables, inheritance, matrices and functions are settled. */
interface BakeTarget {
  readonly context?: string;
  readonly contexts?: Readonly<Record<string, string>>;
  readonly dockerfile?: string;
  readonly 'dockerfile-inline'?: string;
  readonly args?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: readonly string[];
  readonly tags?: readonly string[];
  readonly target?: string;
  readonly platforms?: readonly string[];
  readonly output?: readonly Attributes[];
  readonly secret?: readonly Attributes[];
  readonly ssh?: readonly (string | { readonly id: string; readonly paths?: readonly string[] })[];
  readonly 'cache-from'?: readonly Attributes[];
  readonly 'cache-to'?: readonly Attributes[];
  readonly attest?: readonly Attributes[];
  readonly pull?: boolean;
  readonly 'no-cache'?: boolean;
  readonly 'no-cache-filter'?: readonly string[];
  readonly network?: string;
  readonly 'shm-size'?: string;
  readonly ulimits?: readonly string[];
  readonly entitlements?: readonly string[];
  readonly 'extra-hosts'?: Readonly<Record<string, string>>;
  readonly call?: string;
}

interface BakeFile {
  readonly target: Readonly<Record<string, BakeTarget>>;
}

/**
 * The images of bake files (HCL, JSON or compose), resolved by buildx itself, which needs no builder for it: so variables, functions
 * and inheritance mean what they mean there.
 */
export async function readBakeFiles(
  host: Host,
  inputs: Inputs<typeof definition>,
): Promise<readonly ImageSpec[]> {
  const resolved = await printed(host, inputs);
  const specs = await Promise.all(
    Object.entries(resolved.target).map(([name, target]) => specOf(host, name, target)),
  );
  if (specs.length === 0)
    throw new Failure('The bake file names no image; name one with the input "bake-targets".');
  checkNames(specs);
  return specs;
}

async function printed(host: Host, inputs: Inputs<typeof definition>): Promise<BakeFile> {
  const files = inputs['bake-files'];
  const args = [
    ...['buildx', 'bake', '--print', '--progress=quiet'],
    ...files.flatMap((file) => ['--file', file]),
    ...inputs['bake-set'].flatMap((line) => ['--set', line]),
    ...inputs['bake-targets'],
  ];
  const remote = files.find((file) => /^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(file));
  if (remote !== undefined)
    throw new Failure(`Input "bake-files" has "${remote}"; accepted are files of the checkout.`);
  try {
    const { stdout } = await run({ program: 'docker', args, cwd: host.workspace, signal: host.signal });
    return JSON.parse(stdout.toString()) as BakeFile;
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason === 'cancelled') throw error;
    if (
      error.reason === 'missing' ||
      /is not a docker command|unknown (command|(shorthand )?flag): /.test(error.stderr)
    )
      throw new Failure(
        'Bake files are resolved by docker buildx, which is not installed; install it, or name the images with the input "images".',
        { cause: error },
      );
    throw new Failure(`${files.join(', ') || 'The bake file'}: ${lastError(error.stderr)}.`, {
      cause: error,
    });
  }
}

function lastError(stderr: string): string {
  const line = stderr.split('\n').findLast((one) => one.startsWith('ERROR: '));
  return (line ?? stderr.trim().split('\n').at(-1) ?? 'docker buildx bake failed')
    .replace(/^ERROR: /, '')
    .replace(/\.$/, '');
}

async function specOf(host: Host, name: string, target: BakeTarget): Promise<ImageSpec> {
  if (target.call !== undefined && target.call !== 'build')
    throw new Failure(
      `The target "${name}" of the bake file has call: ${target.call}; images are built, nothing else.`,
    );
  const own = (key: string, value: string | undefined): Record<string, string> =>
    value === undefined || value === '' ? {} : { [key]: value };
  const contexts = Object.entries(target.contexts ?? {});
  const linked = contexts.filter(([, value]) => value.startsWith('target:'));
  const { dockerfile, context } = await places(host, name, target);
  return {
    name,
    own: {
      context,
      file: dockerfile,
      tags: (target.tags ?? []).join('\n'),
      ...own('target', target.target),
      ...own('platforms', target.platforms?.join(',')),
      ...own('network', target.network),
      ...own('shm-size', target['shm-size']),
      ...(target.pull && { pull: 'true' }),
      ...(target['no-cache'] && { 'no-cache': 'true' }),
    },
    added: {
      'build-contexts': contexts
        .filter((one) => !linked.includes(one))
        .map(([key, value]) => `${key}=${value}`),
      annotations: target.annotations ?? [],
      outputs: (target.output ?? []).map(lineOf),
      'secret-files': secrets(target, 'src'),
      'secret-envs': secrets(target, 'env'),
      ssh: (target.ssh ?? []).map((one) =>
        typeof one === 'string' ? one : [one.id, one.paths?.join(',')].filter(Boolean).join('='),
      ),
      'cache-from': (target['cache-from'] ?? []).map(lineOf),
      'cache-to': (target['cache-to'] ?? []).map(lineOf),
      attests: (target.attest ?? []).map(lineOf),
      'no-cache-filters': target['no-cache-filter'] ?? [],
      ulimit: target.ulimits ?? [],
      allow: target.entitlements ?? [],
      'add-hosts': Object.entries(target['extra-hosts'] ?? {}).map(([host, ip]) => `${host}:${ip}`),
    },
    buildArgs: withoutNull(target.args),
    labels: withoutNull(target.labels),
    contexts: Object.fromEntries(linked.map(([key, value]) => [key, value.slice('target:'.length)])),
  };
}

/** Dockerfiles are named from the context there, and from the workspace here; one in the bake file gets a file of this run. */
async function places(
  host: Host,
  name: string,
  target: BakeTarget,
): Promise<{ dockerfile: string; context: string }> {
  const context = target.context ?? '.';
  if (target['dockerfile-inline'] !== undefined) {
    const dockerfile = join(host.temporary, `${name.replace(/[^\w.-]/g, '_')}.Dockerfile`);
    await writeFile(dockerfile, target['dockerfile-inline']);
    return { dockerfile, context };
  }
  const file = target.dockerfile ?? 'Dockerfile';
  return { dockerfile: isAbsolute(file) ? file : join(context, file), context };
}

function withoutNull(values: Readonly<Record<string, string | null>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values ?? {}).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
}

/** Attributes as `--output` and its like write them. A value with a comma is quoted as CSV is. */
function lineOf(attributes: Attributes): string {
  if (typeof attributes === 'string') return attributes;
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${value}`)
    .map((field) => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

function secrets(target: BakeTarget, kind: 'src' | 'env'): string[] {
  return (target.secret ?? []).flatMap((one) => {
    const fields = typeof one === 'string' ? fieldsOf(one) : one;
    const file = fields.src ?? fields.source;
    // With an id alone, buildx takes the variable of that name.
    const source = kind === 'src' ? file : (fields.env ?? (file === undefined ? fields.id : undefined));
    return source === undefined || fields.id === undefined ? [] : [`${fields.id}=${source}`];
  });
}

function fieldsOf(line: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    line.split(',').map((field) => field.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
}
