import { ApiError, type ApplyOptions, type Cluster, type RemoveOptions } from '../cluster.ts';
import { idOf, type KubeObject, type ObjectId } from '../objects.ts';
import { collectionPath, type Parameters, withParameters } from './api-path.ts';
import { type Call, callJson } from './call.ts';
import { withSchemaCauses } from './schema-causes.ts';
import { type Calls, findTarget, targetOf, unlessMissing } from './served.ts';

/** Owner of fields that are written without server-side apply and no manager is named for. */
const FIELD_MANAGER = 'slipway';

interface PatchOptions {
  readonly fieldManager?: string | undefined;
  readonly subresource?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly pinned?: boolean | undefined;
}

type Writing = Pick<Cluster, 'apply' | 'create' | 'replace' | 'patch' | 'remove'>;

/** Calls that change objects. */
export function writingOf(calls: Calls): Writing {
  const send = <T>(call: Omit<Call, 'signal'>, parameters: Parameters): Promise<T> =>
    callJson<T>(calls.way, {
      ...call,
      path: withParameters(call.path, parameters),
      signal: calls.signal,
    });
  return {
    async apply<T extends KubeObject>(object: KubeObject, { fieldManager, force, dryRun }: ApplyOptions) {
      const { path, words } = await findTarget(calls, idOf(object));
      const contentType = 'application/apply-patch+yaml';
      const applied = send<T>(
        { method: 'PATCH', path, body: object, contentType, what: `APPLY ${words}`, repeatable: 'always' },
        { fieldManager, force: force ?? false, dryRun: dryOf(dryRun), fieldValidation: 'Strict' },
      );
      return await applied.catch((error: unknown) => {
        throw error instanceof ApiError ? withSchemaCauses(error) : error;
      });
    },

    async create<T extends KubeObject>(object: KubeObject, { dryRun }: { dryRun?: boolean } = {}) {
      const { resource, namespace, words } = await findTarget(calls, idOf(object));
      const path = collectionPath(resource, namespace);
      return await send<T>(
        { method: 'POST', path, body: object, what: `CREATE ${words}`, repeatable: repeatableIf(dryRun) },
        { fieldManager: FIELD_MANAGER, dryRun: dryOf(dryRun) },
      );
    },

    async replace<T extends KubeObject>(object: KubeObject) {
      const { path, words } = await findTarget(calls, idOf(object));
      return await send<T>(
        { method: 'PUT', path, body: object, what: `REPLACE ${words}`, repeatable: 'untaken' },
        { fieldManager: FIELD_MANAGER },
      );
    },

    async patch<T extends KubeObject>(
      id: ObjectId,
      patch: readonly object[] | Readonly<Record<string, unknown>>,
      { fieldManager = FIELD_MANAGER, subresource, dryRun, pinned }: PatchOptions = {},
    ) {
      const { path, words } = await findTarget(calls, id, subresource);
      const contentType = Array.isArray(patch)
        ? 'application/json-patch+json'
        : 'application/merge-patch+json';
      return await send<T>(
        {
          method: 'PATCH',
          path,
          body: patch,
          contentType,
          what: `PATCH ${words}`,
          repeatable: repeatableIf(dryRun || pinned),
        },
        { fieldManager, dryRun: dryOf(dryRun) },
      );
    },

    async remove(id: ObjectId, options: RemoveOptions = {}) {
      const resource = await calls.discovery.find(id.apiVersion, id.kind);
      if (resource === undefined) return false;
      const { path, words } = targetOf(calls, resource, id);
      const body = deleteOptions(options);
      const removed = await unlessMissing(
        send<object>({ method: 'DELETE', path, body, what: `DELETE ${words}`, repeatable: 'always' }, {}),
      );
      return removed !== undefined;
    },
  };
}

const dryOf = (dryRun: boolean | undefined): 'All' | undefined => (dryRun ? 'All' : undefined);
const repeatableIf = (harmless: boolean | undefined): Call['repeatable'] => (harmless ? 'always' : 'untaken');

const deleteOptions = ({ propagation, uid, resourceVersion, dryRun }: RemoveOptions): object => ({
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  propagationPolicy: propagation ?? 'Background',
  preconditions: { uid, resourceVersion },
  ...(dryRun && { dryRun: ['All'] }),
});
