import { defineAction, input } from '../../shared/host/index.ts';

export const definition = defineAction({
  name: 'docker-multistage',
  title: 'Slipway: multi-stage image',
  description:
    'Makes the image of a multi-stage Dockerfile with the least work: assembled in process where that gives the same image, stages with RUN by BuildKit, nothing at all when nothing changed.',
  icon: 'layers',
  color: 'blue',
  inputs: {
    context: input.text({ description: 'Build context: a folder of the checkout.', default: '.' }),
    file: input.text({ description: 'Path of the Dockerfile; default: Dockerfile in the context.' }),
    target: input.text({ description: 'Stage to build, by name or number; default: the last one.' }),
    platforms: input.list({
      description:
        'Platforms of the image, such as linux/amd64,linux/arm64; default: Linux on this machine’s processor.',
    }),
    tags: input.list({
      description: 'Names of the image, such as ghcr.io/org/app:1.2. With push they are where it goes.',
    }),
    push: input.flag({ description: 'Publish the image under its tags.' }),
    'insecure-registries': input.list({
      description:
        'Registries that are spoken to without TLS, as host or host:port, such as registry.internal:5000; those on this machine always are.',
    }),
    load: input.flag({ description: 'Load the image into the local Docker engine under its tags.' }),
    images: input.lines({
      description:
        'Several images at once, one a line: name=folder, or name=context=FOLDER,file=PATH,target=STAGE. Tags hold {name}; all other inputs are for each of them.',
    }),
    'bake-files': input.list({
      description:
        'Several images at once, from bake files of docker buildx: HCL, JSON or compose. What they say wins over the inputs; lists are joined.',
    }),
    'bake-targets': input.list({
      description: 'Targets and groups of the bake files; default: the group default.',
    }),
    'bake-set': input.lines({
      description: 'Values that win over the bake files, one a line, such as api.tags=ghcr.io/org/api:1.2.',
    }),
    stages: input.lines({
      description:
        'Stages that are not built because their files are at hand, one name=folder a line, such as build=out. {os}, {arch}, {variant} and {platform} (as linux-amd64) are filled in.',
    }),
    'build-args': input.lines({
      description:
        'Build arguments, one name=value a line; a name alone takes the value from the environment.',
    }),
    'build-contexts': input.lines({
      description: 'Named contexts, one name=value a line: a folder, or docker-image://reference.',
    }),
    labels: input.lines({ description: 'Labels of the image, one key=value a line.' }),
    annotations: input.lines({
      description:
        'Annotations, one [kind[platform],…:]key=value a line; kinds: manifest (default), index, manifest-descriptor, index-descriptor.',
    }),
    outputs: input.lines({
      description:
        'Further outputs, one a line: type=oci,dest=FILE; type=docker[,dest=FILE]; type=registry[,name=REFERENCE]; type=image,push=true[,name=REFERENCE]; type=tar,dest=FILE; type=local,dest=FOLDER.',
    }),
    layout: input.text({
      description:
        'Folder of an OCI image layout that takes the image; default: .slipway/images when the image goes nowhere else.',
    }),
    compression: input.choice(['gzip', 'zstd', 'none'], {
      description: 'Compression of the layers that are made; those of the base stay as they are.',
      default: 'gzip',
    }),
    'compression-level': input.number({
      description: 'Level of the compression: gzip 1 to 9, zstd 1 to 22; default: 6 and 3.',
    }),
    'media-types': input.choice(['oci', 'docker'], {
      description: 'Media types of manifests, configuration and layers.',
      default: 'oci',
    }),
    'source-date-epoch': input.number({
      description:
        'Time of everything that this build adds, in seconds since 1970; default: SOURCE_DATE_EPOCH of the environment, else 0.',
    }),
    lint: input.flag({
      description:
        'Look for what makes the image large, slow to build or insecure, and annotate it with the fix.',
      default: 'true',
    }),
    'lint-levels': input.lines({
      description:
        'Levels of lint rules, one rule=level a line; levels: error (fails the step), warning, notice, off.',
    }),
    plan: input.flag({ description: 'Print what would be done and why, and stop.' }),
    'no-cache': input.flag({ description: 'Make everything again, whatever is there from earlier runs.' }),
    'reuse-tag': input.flag({
      description:
        'Look an image up by the tag slipway-KEY of the repositories that it is pushed to, and give it that tag; only trusted runs write it, and a run of a Git tag does not look.',
      default: 'true',
    }),
    lift: input.choice(['auto', 'always', 'never'], {
      description:
        'Whether stages that only compile Go are built on this machine instead of in a container: auto where the same bytes are proved, always (a stage that cannot be is an error), never.',
      default: 'auto',
    }),
    store: input.text({
      description:
        'Where results of stages and cache mounts are kept between runs: auto (the repository that is pushed to, else the Actions cache, else a folder of this user), actions, none, a folder, or registry:HOST/REPOSITORY.',
      default: 'auto',
    }),
    'max-age': input.text({
      description:
        'How long the result of a stage is reused that may depend on more than its inputs, such as a RUN that uses the network: 12h, 7d, 0 for never.',
      default: '7d',
    }),
    'cache-mounts': input.flag({
      description:
        'Carry the content of RUN --mount=type=cache from run to run: a fresh builder starts with what the last run kept.',
      default: 'true',
    }),
    'cache-mount-limit': input.text({
      description: 'Size above which the content of a cache mount is not kept, such as 500MB or 2GB.',
      default: '2GB',
    }),
    'go-cache': input.flag({
      description:
        'Give RUN go build and go test the cache mounts of Go (/root/.cache/go-build, /go/pkg/mod) where the Dockerfile has none.',
    }),
    'verify-reuse': input.text({
      description:
        'Share of the reused stages that are made again and compared, such as 5%; a difference fails the step.',
      default: '0%',
    }),
    explain: input.flag({
      description: 'Say for each stage which part of its key differs from the last build of the branch.',
    }),
    'no-cache-filters': input.list({ description: 'Stages that a builder runs again in any case.' }),
    pull: input.flag({
      description:
        'Let a builder ask for newer base images. What is assembled in process asks for them in any case.',
    }),
    builder: input.text({ description: 'Builder instance of docker buildx; default: the current one.' }),
    secrets: input.secret({
      description: 'Secrets for RUN --mount=type=secret, one id=value a line; quote one of several lines.',
    }),
    'secret-envs': input.lines({
      description: 'Secrets that are in environment variables, one id=NAME a line.',
    }),
    'secret-files': input.lines({ description: 'Secrets that are in files, one id=path a line.' }),
    ssh: input.list({ description: 'SSH agent sockets or keys for RUN --mount=type=ssh, such as default.' }),
    'github-token': input.secret({
      description:
        'Token that a builder uses for Git repositories of Dockerfile instructions (secret GIT_AUTH_TOKEN).',
    }),
    network: input.text({ description: 'Network of RUN instructions: default, none or host.' }),
    'add-hosts': input.list({ description: 'Host names for RUN instructions, such as db:10.0.0.1.' }),
    allow: input.list({ description: 'Entitlements of the builder, such as network.host.' }),
    'shm-size': input.text({ description: 'Size of /dev/shm for RUN instructions, such as 2g.' }),
    ulimit: input.lines({ description: 'Limits for RUN instructions, such as nofile=1024:1024.' }),
    'cgroup-parent': input.text({ description: 'Parent control group of RUN instructions.' }),
    'cache-from': input.lines({ description: 'Caches that a builder reads, such as type=gha.' }),
    'cache-to': input.lines({ description: 'Caches that a builder writes, such as type=gha,mode=max.' }),
    provenance: input.text({
      description:
        'Say where the image comes from (SLSA v1), as an OCI referrer beside the image: true (mode=min), mode=max, builder-id=URI. The image and its digest stay as they are.',
      default: 'false',
    }),
    sbom: input.text({
      description:
        'Say what is in the image (SPDX 2.3), as an OCI referrer beside it: true, or generator=IMAGE for a generator that BuildKit runs, which then makes the whole image.',
      default: 'false',
    }),
    attests: input.lines({
      description:
        'Attestations of BuildKit’s, in the words of docker buildx build --attest: they become part of the index, and BuildKit makes the whole image.',
    }),
    sign: input.choice(['auto', 'always', 'never'], {
      description:
        'Whether provenance and SBOM are signed through sigstore: auto where the job has an identity (permission id-token: write), always (no name is given to an image whose attestations cannot be signed), never.',
      default: 'auto',
    }),
    sigstore: input.text({
      description:
        'Who signs: auto (the public instance for public repositories, else GitHub’s), public, github, or fulcio=URL with rekor=URL, timestamps=URL or both.',
      default: 'auto',
    }),
  },
  outputs: {
    imageid: 'Digest of the image configuration; of the index for several platforms.',
    digest: 'Digest of the manifest or, for several platforms, of the index.',
    metadata: 'JSON as docker buildx build writes it with --metadata-file.',
    reference: 'The first tag with the digest.',
    layout: 'Absolute path of the OCI image layout, where there is one.',
    plan: 'JSON of the plan: how each stage is made and why.',
    images: 'JSON of several images: digest, imageid, reference and reused by name.',
    reused: 'true when the image was there already and nothing was made.',
    attestations: 'JSON of what was attached to the image: place, subject, predicateType, signed, digest.',
  },
  post: true,
});
