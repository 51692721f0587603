import type { WatchEvent } from '../cluster.ts';
import type { KubeObject } from '../objects.ts';
import type { ObjectList } from './list.ts';

/** An event as a watch sends it, one a line (API concepts, "Efficient detection of changes"). */
export type WireEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | {
      readonly type: 'ERROR';
      readonly object: { readonly code?: number; readonly message?: string; readonly reason?: string };
    };

/**
 * What a watcher was told so far: the objects that are there, and the version from which the watch goes on. Lists and events in,
 * changes out, each told once, whatever is repeated or missed in between. An object that was deleted and made again under its name
 * is told as deleted, then as added.
 */
export class Watched {
  readonly #objects = new Map<string, KubeObject>();
  /** Empty before the first list. */
  resourceVersion = '';

  /** A new list: what it has that was not told, and what was told that it has not. Ends with `synced`. */
  *relist({ items, resourceVersion }: ObjectList): Generator<WatchEvent> {
    const present = new Set(items.map(nameOf));
    for (const [name, object] of this.#objects) {
      if (present.has(name)) continue;
      this.#objects.delete(name);
      yield { type: 'deleted', object };
    }
    for (const item of items) yield* this.#see(item);
    this.resourceVersion = resourceVersion;
    yield { type: 'synced' };
  }

  *take({ type, object }: Exclude<WireEvent, { type: 'ERROR' }>): Generator<WatchEvent> {
    this.resourceVersion = object.metadata.resourceVersion ?? this.resourceVersion;
    if (type === 'BOOKMARK') return;
    if (type !== 'DELETED') {
      yield* this.#see(object);
      return;
    }
    const known = this.#objects.get(nameOf(object));
    if (known === undefined || known.metadata.uid !== object.metadata.uid) return;
    this.#objects.delete(nameOf(object));
    yield { type: 'deleted', object };
  }

  *#see(object: KubeObject): Generator<WatchEvent> {
    const name = nameOf(object);
    const known = this.#objects.get(name);
    if (
      known?.metadata.uid === object.metadata.uid &&
      known?.metadata.resourceVersion === object.metadata.resourceVersion
    )
      return;
    this.#objects.set(name, object);
    if (known === undefined) yield { type: 'added', object };
    else if (known.metadata.uid === object.metadata.uid) yield { type: 'modified', object };
    else {
      yield { type: 'deleted', object: known };
      yield { type: 'added', object };
    }
  }
}

const nameOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;
