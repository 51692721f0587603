import { describe, expect, it } from 'vitest';
import { parseBuildInfo } from '../../../shared/go/build-info.ts';
import { makeSbom } from '../../../shared/go/sbom.ts';

const text = `bin/app: go1.24.3
\tpath\texample.com/shop/cmd/app
\tmod\texample.com/shop\tv1.2.0\t
\tdep\tgithub.com/Azure/Thing\tv1.0.0\th1:7k3tYzqn7rJQ1nQWxv5kM9rXw0b3M9jv3mXf2dJb3mE=
\tdep\texample.com/old\tv0.1.0
\t=>\texample.com/new\tv0.2.0\th1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
\tdep\texample.com/local\tv0.0.0
\t=>\t../local\t(devel)
\tbuild\t-ldflags="-s -w -X \\"main.v=a b\\""
\tbuild\tCGO_ENABLED=0
\tbuild\tvcs.time=2024-01-01T00:00:00Z
`;

describe('build info as text', () => {
  it('is read as Go 1.25 writes it in JSON', () => {
    expect(parseBuildInfo(text)).toEqual({
      GoVersion: 'go1.24.3',
      Path: 'example.com/shop/cmd/app',
      Main: { Path: 'example.com/shop', Version: 'v1.2.0' },
      Deps: [
        {
          Path: 'github.com/Azure/Thing',
          Version: 'v1.0.0',
          Sum: 'h1:7k3tYzqn7rJQ1nQWxv5kM9rXw0b3M9jv3mXf2dJb3mE=',
        },
        {
          Path: 'example.com/old',
          Version: 'v0.1.0',
          Replace: {
            Path: 'example.com/new',
            Version: 'v0.2.0',
            Sum: 'h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
          },
        },
        { Path: 'example.com/local', Version: 'v0.0.0', Replace: { Path: '../local', Version: '(devel)' } },
      ],
      Settings: [
        { Key: '-ldflags', Value: '-s -w -X "main.v=a b"' },
        { Key: 'CGO_ENABLED', Value: '0' },
        { Key: 'vcs.time', Value: '2024-01-01T00:00:00Z' },
      ],
    });
  });

  it('of something else is none', () => {
    expect(parseBuildInfo('x: not a Go executable')).toBeUndefined();
  });
});

describe('a bill of materials', () => {
  const program = { name: 'app', sha256: 'ab'.repeat(32) };

  it('names every module by package URL and go.sum hash, and the standard library', async () => {
    const sbom = await makeSbom(parseBuildInfo(text)!, program);
    expect(sbom.metadata.component).toMatchObject({
      type: 'application',
      name: 'app',
      version: 'v1.2.0',
      purl: 'pkg:golang/example.com/shop@v1.2.0#cmd/app',
      hashes: [{ alg: 'SHA-256', content: program.sha256 }],
    });
    expect(sbom.components.map(({ purl }) => purl)).toEqual([
      'pkg:golang/example.com/local@v0.0.0',
      'pkg:golang/example.com/new@v0.2.0',
      'pkg:golang/github.com/Azure/Thing@v1.0.0',
      'pkg:golang/std@1.24.3',
    ]);
    expect(sbom.components[1]).toMatchObject({
      hashes: [{ alg: 'SHA-256', content: '0'.repeat(64) }],
      properties: [{ name: 'go:replaces', value: 'example.com/old@v0.1.0' }],
    });
    const refs = [sbom.metadata.component, ...sbom.components].map((one) => one['bom-ref']);
    expect(sbom.dependencies.map(({ ref }) => ref).sort()).toEqual(refs.sort());
  });

  it('is the same for the same program and another for another', async () => {
    const info = parseBuildInfo(text)!;
    expect(await makeSbom(info, program)).toEqual(await makeSbom(info, program));
    const other = await makeSbom(info, { ...program, sha256: 'cd'.repeat(32) });
    expect(other.serialNumber).not.toBe((await makeSbom(info, program)).serialNumber);
    expect(other.serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});
