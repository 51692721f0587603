import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../host/index.ts';
import { ApiError, type Cluster, formatId, type KubeObject, type ObjectId } from '../../kubernetes/index.ts';
import { decodeRecord, type EncodedRecord, encodeRecord } from './encode.ts';
import { persist } from './persist.ts';
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

/** Writes a record over the one that was read, and over no other: labels and annotations of its ConfigMap may change meanwhile. */
export async function writeRecord(
  cluster: Cluster,
  { record: read, version: seen }: StoredRecord,
  record: ReleaseRecord,
): Promise<StoredRecord> {
  const { release, namespace } = record;
  const id = idOfRecord(release, namespace);
  const content = encodeRecord(record);
  let over = seen;
  for (let attempt = 1; ; attempt++) {
    const object = configMapOf(record, content, over);
    try {
      const written = await persist(() =>
        over === undefined ? cluster.create(object) : cluster.replace(object),
      );
      return { record, version: written.metadata.resourceVersion };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const found = await cluster.get(id);
      // The answer to the write before was lost.
      if (isDeepStrictEqual(found?.binaryData, content.binaryData))
        return { record, version: found?.metadata.resourceVersion };
      if (found !== undefined && over !== undefined && attempt < 3 && holds(found, read)) {
        over = found.metadata.resourceVersion;
        continue;
      }
      throw new Failure(
        `${formatId(id)} was changed by someone else while this run held release ${release}; nothing further was changed, run again.`,
        { cause: error },
      );
    }
  }
}

/** Whether a ConfigMap still says what was read of it. */
const holds = (found: KubeObject, record: ReleaseRecord): boolean =>
  isDeepStrictEqual(found.binaryData, encodeRecord(record).binaryData);

const configMapOf = (
  { release, namespace }: ReleaseRecord,
  content: EncodedRecord,
  resourceVersion: string | undefined,
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: recordName(release),
    namespace,
    labels: { 'app.kubernetes.io/managed-by': 'slipway' },
    annotations: { [RELEASE]: release },
    ...(resourceVersion !== undefined && { resourceVersion }),
  },
  ...content,
});

/** Of another version, or gone, or there already. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 409 || error.status === 404);

const idOfRecord = (release: string, namespace: string): ObjectId => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: recordName(release),
});
