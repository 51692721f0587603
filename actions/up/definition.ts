import { defineAction, input } from '../../shared/host/index.ts';

export const definition = defineAction({
  name: 'up',
  title: 'Slipway',
  description:
    'From a Go service to a published image in one step: binaries, image, layout or registry, and the reason for each.',
  icon: 'anchor',
  color: 'blue',
  inputs: {
    directory: input.text({
      description: 'Folder of the service, with its go.mod, Dockerfile and optional slipway.yml.',
      default: '.',
    }),
    config: input.text({
      description:
        'Path of the configuration file, relative to the directory; default: slipway.yml where it exists.',
    }),
    push: input.lines({
      description:
        'References under which the image is published, one a line, such as registry.example/shop/app:1.4.',
    }),
    load: input.flag({ description: 'Load the image into the local container engine.' }),
    targets: input.list({
      description:
        'Targets of the binaries, such as linux/amd64,linux/arm64; wins over build.targets of slipway.yml.',
    }),
    platforms: input.list({
      description:
        'Platforms of the image; default: the Linux targets. Wins over image.platforms of slipway.yml.',
    }),
    plan: input.flag({ description: 'Print what would be done and why, and stop.' }),
  },
  outputs: {
    digest: 'Digest of the image or, for several platforms, of the index.',
    imageid: 'Digest of the image configuration (of the first platform).',
    reference: 'The first published reference with its digest, or the name in the layout.',
    layout: 'Absolute path of the OCI image layout.',
    binaries: 'JSON list of the binaries: target, path, digest, size, Go version.',
    plan: 'JSON of the plan: what was reused, what was built, and because of which part.',
    changed: 'false when nothing had to be built.',
  },
  post: true,
});
