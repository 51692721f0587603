import type { Cluster } from '../../kubernetes/index.ts';
import type { Lease } from './lease.ts';

const CHANGES: ReadonlySet<PropertyKey> = new Set<keyof Cluster>([
  'apply',
  'create',
  'replace',
  'patch',
  'remove',
  'request',
]);

/** The cluster, in which nothing can be changed any more once the lease is lost. */
export const guard = (cluster: Cluster, lease: Lease): Cluster =>
  new Proxy(cluster, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'within') return (signal: AbortSignal) => guard(target.within(signal), lease);
      if (!CHANGES.has(name)) return value.bind(target);
      return async (...given: unknown[]) => {
        await lease.hold();
        return value.apply(target, given);
      };
    },
  });
