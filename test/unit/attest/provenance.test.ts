import { describe, expect, it } from 'vitest';
import { type BuildFacts, provenance } from '../../../shared/attest/provenance.ts';
import { statement, statementBytes, subjectsOf } from '../../../shared/attest/statement.ts';
import type { Digest } from '../../../shared/content/index.ts';
import { parseReference } from '../../../shared/oci/index.ts';

const digest: Digest = `sha256:${'ab'.repeat(32)}`;
const amd = { os: 'linux', architecture: 'amd64' };
const facts: BuildFacts = {
  mode: 'min',
  source: {
    repository: 'https://github.com/org/app',
    ref: 'refs/heads/main',
    commit: 'c0ffee',
    dirty: false,
  },
  context: '.',
  dockerfile: 'Dockerfile',
  target: undefined,
  platforms: [amd],
  buildArgs: { B: '2', A: 'private' },
  labels: {},
  contexts: {},
  bases: [],
  course: { compression: 'gzip' },
  run: { builderId: undefined, invocationId: undefined, github: undefined },
};

describe('provenance', () => {
  it('of mode min has names of build arguments and no course', async () => {
    const { buildDefinition } = await provenance(facts);
    expect(buildDefinition.externalParameters).toEqual({
      source: { uri: 'git+https://github.com/org/app@refs/heads/main' },
      context: '.',
      dockerfile: 'Dockerfile',
      platforms: ['linux/amd64'],
      buildArgNames: ['A', 'B'],
    });
    expect(buildDefinition).not.toHaveProperty('internalParameters');
    expect(JSON.stringify(buildDefinition)).not.toContain('private');
  });

  it('of mode max has both', async () => {
    const { buildDefinition } = await provenance({ ...facts, mode: 'max' });
    expect(buildDefinition.externalParameters).toMatchObject({ buildArgs: { A: 'private', B: '2' } });
    expect(buildDefinition.internalParameters).toEqual({ compression: 'gzip' });
  });

  it('says that files differ from the commit', async () => {
    const { buildDefinition } = await provenance({ ...facts, source: { ...facts.source, dirty: true } });
    expect(buildDefinition.externalParameters.source).toEqual({
      uri: 'git+https://github.com/org/app@refs/heads/main',
      modified: true,
    });
  });

  it('names the commit and each base once, as package URLs', async () => {
    const base = (name: string) => ({ reference: parseReference(name), digest, platform: amd });
    const bases = [
      base('golang:1.26'),
      base('ghcr.io/org/base'),
      base(`gcr.io/d/static@${digest}`),
      base('golang:1.26'),
    ];
    const { buildDefinition } = await provenance({ ...facts, bases });
    const query = `digest=${encodeURIComponent(digest)}&platform=linux%2Famd64`;
    const sha256 = 'ab'.repeat(32);
    expect(buildDefinition.resolvedDependencies).toEqual([
      { uri: 'git+https://github.com/org/app@refs/heads/main', digest: { gitCommit: 'c0ffee' } },
      { uri: `pkg:docker/gcr.io/d/static?${query}`, digest: { sha256 } },
      { uri: `pkg:docker/ghcr.io/org/base@latest?${query}`, digest: { sha256 } },
      { uri: `pkg:docker/golang@1.26?${query}`, digest: { sha256 } },
    ]);
  });

  it('differs between two runs in the run alone', async () => {
    const of = async (run: BuildFacts['run'], buildArgs: BuildFacts['buildArgs']) =>
      await provenance({ ...facts, mode: 'max', run, buildArgs });
    const one = await of(
      { builderId: 'https://x/1', invocationId: 'https://x/runs/1', github: undefined },
      { A: '1', B: '2' },
    );
    const two = await of(
      { builderId: 'https://x/1', invocationId: 'https://x/runs/2', github: undefined },
      { B: '2', A: '1' },
    );
    expect(JSON.stringify(two).replace('runs/2', 'runs/1')).toBe(JSON.stringify(one));
  });
});

describe('a statement', () => {
  it('is about every digest under every name, in an order of its own', () => {
    const other: Digest = `sha256:${'cd'.repeat(32)}`;
    const subjects = subjectsOf(['b', 'a', 'b'], [digest, other, digest]);
    expect(subjects.map(({ name, digest: { sha256 } }) => `${name} ${sha256.slice(0, 2)}`)).toEqual([
      'a ab',
      'b ab',
      'a cd',
      'b cd',
    ]);
    expect(JSON.parse(statementBytes(statement(subjects, 'https://t', { x: 1 })).toString())).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: subjects,
      predicateType: 'https://t',
      predicate: { x: 1 },
    });
  });
});
