import { type Digest, isDigest } from '../content/index.ts';
import { Failure } from '../host/index.ts';

/** A repository of a registry. Names are canonical: `docker.io` and `library/alpine` for what people write as `alpine`. */
export interface Repository {
  /** Host, with its port where one was given. */
  readonly registry: string;
  readonly repository: string;
}

/** An image reference, in the grammar of github.com/distribution/reference. A digest wins over a tag that stands beside it. */
export interface Reference extends Repository {
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_REGISTRY = 'docker.io';
const LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/**
 * Reads a reference such as `alpine`, `ghcr.io/org/app:1.2` or `localhost:5000/app@sha256:…`. Neither tag nor digest is made up:
 * see tagOrDigest for the default. Throws a Failure that says which part is wrong and what is accepted.
 */
export function parseReference(text: string): Reference {
  checkShape(text);
  const [named, digest] = splitDigest(text);
  const { registry, rest } = splitRegistry(named);
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  checkRegistry(text, registry);
  checkPath(text, path);
  if (tag !== undefined) checkTag(text, tag);
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path;
  return {
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function wrong(text: string, why: string): Failure {
  return new Failure(`"${text}" is no image reference: ${why}.`);
}

function checkShape(text: string): void {
  if (text.trim() === '')
    throw new Failure('An image reference is empty; accepted is one such as ghcr.io/org/app:1.2.');
  const scheme = /^(\w+):\/\//.exec(text);
  if (scheme !== null) throw wrong(text, `leave out ${scheme[0]}, as in ${text.slice(scheme[0].length)}`);
  if (/\s/.test(text)) throw wrong(text, 'it holds a blank');
  if (text.includes('${') || text.includes('$(')) throw wrong(text, 'a variable in it was not expanded');
}

function splitDigest(text: string): [string, Digest | undefined] {
  const at = text.indexOf('@');
  if (at === -1) return [text, undefined];
  const digest = text.slice(at + 1);
  if (!isDigest(digest))
    throw wrong(
      text,
      `"${digest}" is no digest; accepted is sha256: and 64 hexadecimal digits in lower case`,
    );
  return [text.slice(0, at), digest];
}

// What stands before the first slash is a registry when it looks like one: a dot, a port, "localhost" or upper case.
function splitRegistry(named: string): { registry: string; rest: string } {
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(slash, 0));
  if (slash === -1) return { registry: DEFAULT_REGISTRY, rest: named };
  const rest = named.slice(slash + 1);
  if (first === 'index.docker.io') return { registry: DEFAULT_REGISTRY, rest };
  if (first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase())
    return { registry: first, rest };
  return { registry: DEFAULT_REGISTRY, rest: named };
}

function checkRegistry(text: string, registry: string): void {
  if (REGISTRY.test(registry)) return;
  const port = /:(?!\d+$)([^\]]*)$/.exec(registry);
  throw wrong(
    text,
    port === null
      ? `"${registry}" is no host name`
      : `"${port[1]}" is no port of the registry ${registry.slice(0, port.index)}`,
  );
}

function checkPath(text: string, path: string): void {
  if (path === '') throw wrong(text, 'the name of the repository is missing');
  if (path !== path.toLowerCase()) {
    const lower = text.replace(path, path.toLowerCase());
    throw wrong(text, `the name of a repository is in lower case, as in ${lower}`);
  }
  if (/^[0-9a-f]{64}$/.test(path))
    throw wrong(text, 'it is an identifier; put sha256: or a repository before it');
  if (path.length > 255)
    throw wrong(text, `the name of the repository has ${path.length} characters, of at most 255`);
  const bad = path.split('/').find((component) => !COMPONENT.test(component));
  if (bad === undefined) return;
  throw wrong(
    text,
    bad === ''
      ? 'a part between two slashes is empty'
      : `"${bad}" may hold a to z, 0 to 9 and, between them, one dot, one or two underscores, or hyphens`,
  );
}

function checkTag(text: string, tag: string): void {
  if (tag === '') throw wrong(text, 'the tag after the colon is empty');
  if (tag.length > 128) throw wrong(text, `the tag has ${tag.length} characters, of at most 128`);
  if (TAG.test(tag)) return;
  const nearest = tag.replaceAll(/[^\w.-]+/g, '-').replace(/^[.-]+/, '');
  const hint = nearest === '' ? '' : `, as in ${nearest}`;
  throw wrong(text, `the tag "${tag}" may hold letters, digits, underscores, dots and hyphens${hint}`);
}

/** What a registry is asked for: the digest, else the tag, else `latest`. */
export function tagOrDigest(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/** The canonical text, such as `docker.io/library/alpine:3.22`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}
