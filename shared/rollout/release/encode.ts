import { gunzipSync, gzipSync } from 'node:zlib';
import { digestOf } from '../../content/index.ts';
import { Failure, formatBytes } from '../../host/index.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { type ReleaseRecord, type Revision, recordName } from './record.ts';

/** ConfigMap data that is read by people (kubectl get -o yaml) and by nothing else, and the record itself. */
export interface EncodedRecord {
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData: { readonly [PART]: string };
}

const PART = 'record.json.gz';

/** A ConfigMap holds 1 MiB (ValidateConfigMap); the readable part and the names need little. */
export const RECORD_LIMIT = 1_000_000;

/** How this is written; a record of a later format is refused, not guessed at. */
const FORMAT = 1;

interface Written {
  readonly format: number;
  /** Each object once, by its digest: two revisions of a release are mostly the same objects. */
  readonly objects: Readonly<Record<string, KubeObject>>;
  readonly record: Omit<ReleaseRecord, 'proven' | 'attempt'> & {
    readonly proven?: WrittenRevision | undefined;
    readonly attempt?:
      | (Omit<NonNullable<ReleaseRecord['attempt']>, 'revision'> & { readonly revision: WrittenRevision })
      | undefined;
  };
}

type WrittenRevision = Omit<Revision, 'objects'> & { readonly objects: readonly string[] };

/** The content of a record's ConfigMap. Fails where it would be larger than a ConfigMap can be. */
export function encodeRecord(record: ReleaseRecord): EncodedRecord {
  const objects: Record<string, KubeObject> = {};
  const write = (revision: Revision): WrittenRevision => ({
    ...revision,
    objects: revision.objects.map((object) => {
      const digest = digestOf(JSON.stringify(object));
      objects[digest] = object;
      return digest;
    }),
  });
  const { proven, attempt } = record;
  const written: Written = {
    format: FORMAT,
    record: {
      ...record,
      proven: proven && write(proven),
      attempt: attempt && { ...attempt, revision: write(attempt.revision) },
    },
    objects,
  };
  const packed = gzipSync(JSON.stringify(written));
  if (packed.length > RECORD_LIMIT) throw tooLarge(record, packed.length);
  return { data: readable(record), binaryData: { [PART]: packed.toString('base64') } };
}

/** Reads what encodeRecord wrote. */
export function decodeRecord(configMap: KubeObject): ReleaseRecord {
  const where = `ConfigMap ${configMap.metadata.namespace}/${configMap.metadata.name}`;
  const { format, record, objects } = unpack(configMap, where);
  if (format !== FORMAT)
    throw new Failure(
      `${where} was written in format ${format} and this Slipway reads format ${FORMAT}; use the version that wrote it, or a later one.`,
    );
  const read = (revision: WrittenRevision): Revision => ({
    ...revision,
    objects: revision.objects.map((digest) => objects[digest]!),
  });
  const { proven, attempt } = record;
  return {
    ...record,
    proven: proven && read(proven),
    attempt: attempt && { ...attempt, revision: read(attempt.revision) },
  };
}

function unpack(configMap: KubeObject, where: string): Written {
  const packed = (configMap.binaryData as Record<string, string> | undefined)?.[PART];
  try {
    return JSON.parse(gunzipSync(Buffer.from(packed ?? '', 'base64')).toString()) as Written;
  } catch (error) {
    throw new Failure(
      `${where} should hold what Slipway knows of a release, and its ${PART} cannot be read (${(error as Error).message}); delete it to let the next run adopt what is in the cluster.`,
      { cause: error },
    );
  }
}

function tooLarge({ release, proven, attempt }: ReleaseRecord, size: number): Failure {
  const count = Math.max(proven?.objects.length ?? 0, attempt?.revision.objects.length ?? 0);
  return new Failure(
    `Release ${release} has ${count} objects that take ${formatBytes(size)} packed in ConfigMap ${recordName(release)}, and ${formatBytes(RECORD_LIMIT)} is the most that fits; roll it out as several releases.`,
  );
}

function readable({ proven, attempt }: ReleaseRecord): Record<string, string> {
  const line = ({ number, digest, at, run, images }: Revision) =>
    `revision ${number} of ${at} by ${run}\n${digest}\n${images.map((image) => `${image}\n`).join('')}`;
  return {
    ...(proven && { proven: line(proven) }),
    ...(attempt && {
      attempt: `${attempt.phase}${attempt.because === undefined ? '' : `: ${attempt.because}`}\n${line(attempt.revision)}`,
    }),
  };
}
