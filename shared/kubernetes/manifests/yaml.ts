import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { Failure, type Location } from '../../host/index.ts';
import { withIndentedQuotes } from './indent-quotes.ts';
import { jsonTexts } from './json-texts.ts';
import type { FieldPath, RepeatedKey } from './manifest.ts';
import { readScalar, ScalarError } from './scalar.ts';

/** A document of a YAML or JSON stream as kubectl reads it, in JSON, and where its fields are written. */
export interface YamlDocument {
  readonly value: unknown;
  readonly locate: (path: FieldPath) => Location;
  readonly repeated: readonly RepeatedKey[];
}

/** Values that the aliases of one document may make: a bomb of some lines makes billions. */
const MOST_COPIES = 100_000;
const MOST_DEPTH = 200;

/**
 * Reads a stream of YAML documents or of JSON values. Documents without content are left out. What kubectl would not take is a
 * Failure at its line. Of a key that stands twice the last one counts, as in kubectl; such keys are named.
 */
export function readYaml(text: string, file: string): YamlDocument[] {
  const parts = partsOf(text);
  if (!parts.some(({ documents }) => documents.some(hasOpenQuote))) return read(text, parts, file);
  const indented = withIndentedQuotes(text);
  return read(indented, indented === text ? parts : partsOf(indented), file);
}

const partsOf = (text: string) =>
  jsonTexts(text).map((part) => ({ ...part, documents: documentsOf(part.content) }));

const hasOpenQuote = ({ errors }: Document.Parsed): boolean =>
  errors.some(({ code }) => code === 'MISSING_CHAR');

function read(text: string, parts: ReturnType<typeof partsOf>, file: string): YamlDocument[] {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return parts.flatMap(({ start, content, documents }) =>
    documents.flatMap((document) => new Reader(document, content, file, lines, start).read() ?? []),
  );
}

function documentsOf(text: string): Document.Parsed[] {
  // All scalars as they are written: what they mean is kubectl's rule, not this parser's.
  const parsed = parseAllDocuments(text, {
    schema: 'failsafe',
    version: '1.1',
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  return 'empty' in parsed ? [] : (parsed as Document.Parsed[]);
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #text: string;
  readonly #file: string;
  readonly #lines: LineCounter;
  /** Where the document's text begins in the file. */
  readonly #start: number;
  /** Anchors seen so far: one that is given again is another from there on. */
  readonly #anchors = new Map<string, Node>();
  readonly #targets = new Map<Alias, Node>();
  readonly #repeated: RepeatedKey[] = [];
  #copies = 0;

  constructor(document: Document.Parsed, text: string, file: string, lines: LineCounter, start: number) {
    this.#document = document;
    this.#text = text;
    this.#file = file;
    this.#lines = lines;
    this.#start = start;
  }

  read(): YamlDocument | undefined {
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const location = this.#at(error.pos[0]);
      throw this.#template() ?? new Failure(`This is no YAML: ${sentence(error.message)}`, { location });
    }
    const { contents } = this.#document;
    if (contents === null) return undefined;
    const value = this.#value(contents, 0, []);
    if (value === null) return undefined;
    return { value, locate: (path) => this.#locate(contents, path), repeated: this.#repeated };
  }

  #value(node: unknown, depth: number, open: readonly Node[]): unknown {
    if (node === null || node === undefined) return null;
    this.#visit(node as Node, depth, open);
    if (isAlias(node)) return this.#value(this.#anchored(node, open), depth + 1, [...open, node]);
    if (isScalar(node)) return this.#scalar(node);
    if (isSeq(node)) return node.items.map((item) => this.#value(item, depth + 1, open));
    if (isMap(node)) return Object.fromEntries(this.#entries(node, depth, open));
    throw this.#wrong(node as Node, 'This is neither a mapping, a list nor a value.');
  }

  #visit(node: Node, depth: number, open: readonly Node[]): void {
    if (depth > MOST_DEPTH) throw this.#wrong(node, `This is nested more than ${MOST_DEPTH} deep.`);
    if (open.length > 0 && ++this.#copies > MOST_COPIES)
      throw this.#wrong(open[0], `The aliases of this document make more than ${MOST_COPIES} values of it.`);
    if (!isAlias(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
  }

  /** The fields of a mapping. A merge takes effect where it stands: it wins over keys before it, as in kubectl. */
  #entries(map: YAMLMap, depth: number, open: readonly Node[]): Map<string, unknown> {
    const entries = new Map<string, unknown>();
    const written = new Set<string>();
    for (const pair of map.items) {
      if (isMerge(pair)) {
        for (const [key, value] of this.#merged(pair.value, depth, open)) entries.set(key, value);
        continue;
      }
      const key = this.#key(pair);
      // A mapping that aliases repeat is read once for each of them.
      if (written.has(key) && open.length === 0)
        this.#repeated.push({ key, location: this.#at((pair.key as Node).range?.[0] ?? 0) });
      written.add(key);
      entries.set(key, this.#value(pair.value, depth + 1, open));
    }
    return entries;
  }

  #merged(node: unknown, depth: number, open: readonly Node[]): Map<string, unknown> {
    if (isAlias(node)) return this.#merged(this.#anchored(node, open), depth + 1, [...open, node]);
    if (isMap(node)) {
      this.#visit(node, depth, open);
      return this.#entries(node, depth + 1, open);
    }
    // The first of a list wins.
    if (isSeq(node))
      return new Map(node.items.toReversed().flatMap((one) => [...this.#merged(one, depth + 1, open)]));
    throw this.#wrong(node as Node, 'After << stands a mapping, or a list of them.');
  }

  #anchored(alias: Alias, open: readonly Node[]): Node {
    if (open.includes(alias)) throw this.#wrong(alias, `The anchor &${alias.source} holds itself.`);
    const node = this.#targets.get(alias) ?? this.#anchors.get(alias.source);
    if (node === undefined) throw this.#wrong(alias, `There is no anchor &${alias.source} before this.`);
    this.#targets.set(alias, node);
    return node;
  }

  #key({ key, value }: Pair): string {
    const node = isAlias(key) ? this.#anchored(key, []) : key;
    if (isScalar(node)) {
      if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
      const name = this.#scalar(node);
      if (name !== null) return typeof name === 'number' ? keyOfNumber(name) : String(name);
    }
    const location = (key ?? value) as Node;
    // `{{ .Values.image }}` is a mapping as the key of a mapping.
    if (isMap(node) && node.flow) throw this.#template() ?? this.#wrong(location, 'A key is text.');
    throw this.#wrong(location, 'A key is text; put it in quotes.');
  }

  #scalar(node: Scalar): string | number | boolean | null {
    try {
      const plain = node.type === 'PLAIN' || node.type === undefined;
      return readScalar(String(node.value ?? ''), plain, node.tag);
    } catch (error) {
      if (error instanceof ScalarError) throw this.#wrong(node, `${sentence(error.message)}`);
      throw error;
    }
  }

  #locate(root: Node, path: FieldPath): Location {
    let node: Node = root;
    let place: Node = root;
    for (const step of path) {
      const found = this.#step(node, step);
      if (found === undefined) break;
      place = found.place;
      if (found.node === undefined) break;
      node = found.node;
    }
    return this.#at(place.range?.[0] ?? 0);
  }

  /** The node under a step, and the node that shows its place: its key, or the item of a list. */
  #step(node: Node, step: string | number): { place: Node; node: Node | undefined } | undefined {
    const inner = isAlias(node) ? this.#targets.get(node) : node;
    if (isSeq(inner)) {
      const item = typeof step === 'number' ? (inner.items[step] as Node | undefined) : undefined;
      return item === undefined ? undefined : { place: item, node: item };
    }
    if (!isMap(inner)) return undefined;
    // The last one that gives the key, as in #entries.
    for (const pair of inner.items.toReversed()) {
      if (isMerge(pair)) {
        const found = this.#mergedStep(pair.value as Node, step);
        if (found !== undefined) return found;
      } else if (this.#key(pair) === String(step))
        return { place: pair.key as Node, node: (pair.value ?? undefined) as Node | undefined };
    }
    return undefined;
  }

  #mergedStep(node: Node, step: string | number) {
    const inner = isAlias(node) ? this.#targets.get(node) : node;
    if (!isSeq(inner)) return this.#step(node, step);
    for (const item of inner.items) {
      const found = this.#step(item as Node, step);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What is wrong where a template was not filled in: the error of the parser would lead astray. */
  #template(): Failure | undefined {
    const found = TEMPLATE.exec(this.#text);
    if (found === null) return undefined;
    return new Failure(
      `This is a template and not YAML: "${found[1]}" was not filled in; give what your tool, such as "helm template", makes of it.`,
      { location: this.#at(found.index + found[0].indexOf('{{')) },
    );
  }

  #at(offset: number): Location {
    const { line, col } = this.#lines.linePos(this.#start + offset);
    return { file: this.#file, line, column: col };
  }

  #wrong(node: Node | null | undefined, message: string): Failure {
    return new Failure(message, { location: this.#at(node?.range?.[0] ?? 0) });
  }
}

/** What Go templates put between the lines and in place of values. */
const TEMPLATE = /^(?:[^#"'\n]*[:\s-])?(\{\{.*?(?:\}\}|$))/m;

/** `<<` in plain text; in quotes it is a key like another. */
const isMerge = ({ key }: Pair): boolean => isScalar(key) && key.value === '<<' && key.type === 'PLAIN';

/** Numbers as keys are written with the precision of 32 bits (sigs.k8s.io/yaml). */
function keyOfNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === Math.fround(value)) return String(text);
  }
  return String(value);
}

const sentence = (message: string): string => {
  const first = message.split('\n')[0]!.trim();
  return /[.!?]$/.test(first) ? first : `${first}.`;
};
