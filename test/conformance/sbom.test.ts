import { readFileSync } from 'node:fs';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { expect, it } from 'vitest';
import { parseBuildInfo } from '../../shared/go/build-info.ts';
import { makeSbom } from '../../shared/go/sbom.ts';
import { GoModule } from '../e2e/go-module.ts';
import { describeWith, go } from '../lab/index.ts';

const validate = (text: string) => new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);

it('the validator refuses what is no bill of materials', async () => {
  expect(await validate('{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}')).not.toBeNull();
});

it('a bill of materials with replacements and settings is CycloneDX 1.6', async () => {
  const info = parseBuildInfo(
    [
      'app: go1.24.3',
      '\tpath\texample.com/shop/cmd/app',
      '\tmod\texample.com/shop\t(devel)\t',
      '\tdep\tgithub.com/Azure/go-autorest/autorest\tv0.11.0+incompatible\th1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
      '\tdep\texample.com/local\tv0.0.0',
      '\t=>\t../local\t(devel)',
      '\tbuild\t-ldflags="-s -w"',
    ].join('\n'),
  );
  const sbom = await makeSbom(info!, { name: 'app', sha256: '0f'.repeat(32), version: '1.4.0+dirty' });
  expect(await validate(JSON.stringify(sbom))).toBeNull();
});

describeWith('the bill of materials of a real program', { go: go() }, (have) => {
  it('is CycloneDX 1.6', async () => {
    using module = new GoModule(have.go.program);
    const [program] = (await module.build({ targets: ['linux/amd64'], sbom: true })).programs;
    expect(await validate(readFileSync(program!.sbom!, 'utf8'))).toBeNull();
  });
});
