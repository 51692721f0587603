import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../host/index.ts';
import { ApiError, type Cluster, formatId, type KubeObject, type ObjectId } from '../../kubernetes/index.ts';
import { decodeRecord, encodeRecord } from './encode.ts';
import { emptyRecord, RELEASE, type ReleaseRecord, recordName } from './record.ts';

/** A record, and the version of its ConfigMap over which it may be written; undefined while there is none. */
export interface StoredRecord {
  readonly record: ReleaseRecord;
  readonly version: string | undefined;
}

/** What the cluster knows of a release; an empty record where it knows nothing. */
export async function readRecord(
  cluster: Cluster,
  release: string,
  namespace: string,
): Promise<StoredRecord> {
  const found = await cluster.get(idOfRecord(release, namespace));
  return found === undefined
    ? { record: emptyRecord(release, namespace), version: undefined }
    : { record: decodeRecord(found), version: found.metadata.resourceVersion };
}

/** Writes a record over the version that was read, and over no other one. */
export async function writeRecord(
  cluster: Cluster,
  { version }: StoredRecord,
  record: ReleaseRecord,
): Promise<StoredRecord> {
  const { release, namespace } = record;
  const id = idOfRecord(release, namespace);
  const content = encodeRecord(record);
  const object: KubeObject = {
    apiVersion: id.apiVersion,
    kind: id.kind,
    metadata: {
      name: id.name,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'slipway' },
      annotations: { [RELEASE]: release },
      ...(version !== undefined && { resourceVersion: version }),
    },
    ...content,
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const written = await (version === undefined ? cluster.create(object) : cluster.replace(object));
      return { record, version: written.metadata.resourceVersion };
    } catch (error) {
      // Over a version, or where there was none, a write can be tried again without harm when its answer was lost.
      if (!isRefusal(error) && error instanceof Failure && attempt < 3) continue;
      if (!isRefusal(error)) throw error;
      const found = await cluster.get(id);
      if (isDeepStrictEqual(found?.binaryData, content.binaryData))
        return { record, version: found?.metadata.resourceVersion };
      throw new Failure(
        `${formatId(id)} was changed by someone else while this run held release ${release}; nothing further was changed, run again.`,
        { cause: error },
      );
    }
  }
}

/** Of another version, or gone, or there already. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 409 || error.status === 404);

const idOfRecord = (release: string, namespace: string): ObjectId => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: recordName(release),
});
