import { didYouMean } from '../../../host/index.ts';
import { formatId, idOf, type KubeObject } from '../../../kubernetes/index.ts';
import { findOldApi, type OldApi } from '../removed-apis.ts';
import type { Problem, RuleDefinition, Scene } from '../rule.ts';
import { fieldsOf, listOf } from '../workload.ts';

export const apiVersion: RuleDefinition = {
  name: 'api-version',
  level: 'error',
  finds:
    'an apiVersion and kind that the server does not serve, or no longer (error), or has announced to drop (warning)',
  why: 'what is not served cannot be applied; what is deprecated fails after the next upgrade of the cluster',
  fix: 'the apiVersion that the finding names',
  *find(scene) {
    const own = new Set(scene.manifests.flatMap(({ object }) => definedKinds(object)));
    for (const manifest of scene.manifests) {
      const problem = judge(scene, manifest.object, own);
      if (problem !== undefined) yield { manifest, path: ['apiVersion'], ...problem };
    }
  },
};

function judge(
  { facts }: Scene,
  object: KubeObject,
  own: ReadonlySet<string>,
): Pick<Problem, 'message' | 'fix' | 'atMost'> | undefined {
  const name = `${object.apiVersion}/${object.kind}`;
  const old = findOldApi(object.apiVersion, object.kind);
  const served = facts?.served === undefined ? undefined : facts.served.has(name) || own.has(name);
  if (served === false) return { ...notServed(facts!.served!, object, old) };
  if (old === undefined) return undefined;
  const fix = old.use === undefined ? undefined : `apiVersion: ${old.use}`;
  const instead = old.use === undefined ? 'nothing takes its place' : `write ${old.use}`;
  const minor = facts?.version?.minor;
  const of = `${object.apiVersion} of ${formatId(idOf(object))}`;
  if (old.removed !== undefined && minor !== undefined && minor >= old.removed && served !== true)
    return {
      message: `${of} is not served since Kubernetes 1.${old.removed}, and this server is ${facts!.version!.release}: ${instead}.`,
      fix,
    };
  if (minor !== undefined && minor < old.deprecated) return undefined;
  const when =
    old.removed === undefined
      ? ''
      : ` and ${minor === undefined || minor < old.removed ? 'is' : 'was to be'} gone from 1.${old.removed}`;
  return {
    message: `${of} is deprecated since Kubernetes 1.${old.deprecated}${when}: ${instead}.`,
    fix,
    atMost: 'warning',
  };
}

function notServed(
  served: ReadonlySet<string>,
  object: KubeObject,
  old: OldApi | undefined,
): Pick<Problem, 'message' | 'fix'> {
  const of = `${object.apiVersion} ${object.kind} (${object.metadata.name})`;
  if (old?.removed !== undefined)
    return {
      message: `${of} is not served since Kubernetes 1.${old.removed}: ${old.use === undefined ? 'nothing takes its place' : `write ${old.use}`}.`,
      ...(old.use !== undefined && { fix: `apiVersion: ${old.use}` }),
    };
  const all = [...served].map((one) => [
    one.slice(0, one.lastIndexOf('/')),
    one.slice(one.lastIndexOf('/') + 1),
  ]);
  const versions = all.filter(([, kind]) => kind === object.kind).map(([version]) => version!);
  if (versions.length > 0)
    return {
      message: `The cluster does not serve ${of}; it has ${object.kind} as ${versions.join(', ')}.`,
      fix: `apiVersion: ${versions[0]}`,
    };
  const kinds = new Set(all.map(([, kind]) => kind!));
  return {
    message: `The cluster does not serve ${of}, and the manifests have no CustomResourceDefinition for it.${didYouMean(object.kind, kinds)}`,
  };
}

/** The kinds that a CustomResourceDefinition among the manifests brings along. */
function definedKinds(object: KubeObject): string[] {
  if (object.kind !== 'CustomResourceDefinition') return [];
  const { group, names, versions, version } = fieldsOf(object.spec);
  const all = [...listOf(versions).map((one) => fieldsOf(one).name), version].filter(
    (one) => one !== undefined,
  );
  return all.map((one) => `${String(group)}/${String(one)}/${String(fieldsOf(names).kind)}`);
}

export const prune: RuleDefinition = {
  name: 'prune',
  level: 'warning',
  finds: 'objects that the run deletes because the manifests no longer have them (input `prune`)',
  why: 'a file that was moved or a folder that was not given looks the same as an object that is no longer wanted',
  fix: 'the object back in the manifests, or `prune: false`',
  *find({ facts }) {
    for (const object of facts?.pruned ?? [])
      yield {
        object,
        message: `${formatId(object)} is in the cluster but not in the manifests any more: it would be deleted.`,
      };
  },
};
