import type { ServerVersion } from '../cluster.ts';

/** Reads what `/version` says: `v1.34.4+k3s1`, `v1.34.4-eks-1`, `v1.34.4-gke.100`; minor may be `34+`. */
export function parseVersion({
  gitVersion,
  major,
  minor,
}: {
  gitVersion: string;
  major: string;
  minor: string;
}): ServerVersion {
  const release = /^v?(\d+\.\d+\.\d+)/.exec(gitVersion)?.[1];
  const [from, upTo] = (release ?? '').split('.');
  return {
    release: release ?? `${Number.parseInt(major, 10)}.${Number.parseInt(minor, 10)}.0`,
    major: Number.parseInt(from || major, 10),
    minor: Number.parseInt(upTo || minor, 10),
    text: gitVersion,
  };
}
