import { defineAction, input } from '../../shared/host/index.ts';

export const definition = defineAction({
  name: 'go-build',
  title: 'Slipway: build Go',
  description:
    'Builds Go programs for many targets, reproducibly, and only what changed: caches that hold what the build used, SBOM, checksums, size budget.',
  icon: 'package',
  color: 'blue',
  inputs: {
    'working-directory': input.text({
      description: 'Folder in which Go runs; packages and outputs are relative to it.',
      default: '.',
    }),
    packages: input.list({
      description:
        'Main packages to build, such as ./cmd/storefront or ./cmd/...; default: every main package in the working directory and below.',
    }),
    targets: input.list({
      description:
        'Targets as os/arch or os/arch/variant, such as linux/amd64,linux/arm/v7,windows/amd64; default: this machine.',
    }),
    output: input.text({ description: 'Folder that the programs are written to.', default: 'dist' }),
    'output-name': input.text({
      description:
        'Name of each program. Filled in: {{name}}, {{os}}, {{arch}}, {{variant}}, {{target}}, {{ext}}, {{version}}, {{tag}}, {{commit}}, {{short-commit}}, {{date}}, {{branch}}. Programs for Windows get .exe.',
      default: '{{name}}_{{target}}',
    }),
    ldflags: input.text({
      description:
        'Linker flags. {{version}}, {{tag}}, {{commit}}, {{short-commit}}, {{date}}, {{timestamp}} and {{branch}} are filled in; the time is the commit’s.',
      default: '-s -w',
    }),
    stamp: input.lines({
      description:
        'Variables to set, one package.variable=value a line, such as main.version={{version}} (the linker’s -X).',
    }),
    tags: input.list({ description: 'Build tags.' }),
    trimpath: input.flag({
      description:
        'Leave the machine’s folders out of the program, so that it is the same wherever it is built.',
      default: 'true',
    }),
    buildvcs: input.choice(['off', 'on', 'auto'], {
      description:
        'Record the commit in the program. It is then another program after every commit, changed or not; stamp {{version}} to have both.',
      default: 'off',
    }),
    gcflags: input.text({ description: 'Compiler flags, as for go build -gcflags.' }),
    asmflags: input.text({ description: 'Assembler flags, as for go build -asmflags.' }),
    mod: input.choice(['auto', 'readonly', 'vendor', 'mod'], {
      description: 'Module download mode, as for go build -mod; auto leaves it to Go.',
      default: 'auto',
    }),
    cgo: input.choice(['auto', 'on', 'off'], {
      description: 'Whether C code may be part of the program; auto: only where the race detector needs it.',
      default: 'auto',
    }),
    race: input.flag({ description: 'Build with the race detector.' }),
    cover: input.flag({ description: 'Build with coverage instrumentation.' }),
    'cover-packages': input.list({ description: 'Packages to instrument, as for go build -coverpkg.' }),
    pgo: input.text({
      description:
        'Profile to optimise by: auto takes default.pgo of the main package, off none, else a path.',
      default: 'auto',
    }),
    buildmode: input.text({ description: 'As for go build -buildmode, such as pie; default: Go’s own.' }),
    flags: input.lines({ description: 'More flags for go build, one a line, such as -msan.' }),
    env: input.lines({
      description: 'Variables for the go command, one NAME=value a line, such as GOEXPERIMENT=jsonv2.',
    }),
    toolchain: input.text({
      description:
        'Go to use: auto follows go.mod, local forbids switching, or a version such as go1.26.8; default: as GOTOOLCHAIN has it.',
    }),
    jobs: input.number({ description: 'Builds at once; default: as many as cores and memory allow.' }),
    reuse: input.flag({
      description: 'Leave a program as it is when nothing that it is made of changed.',
      default: 'true',
    }),
    verify: input.flag({
      description:
        'Prove reproducibility: build a second time in another folder from an empty cache and compare the bytes.',
    }),
    'max-size': input.size({ description: 'Size that no program may exceed, such as 40 MB.' }),
    sbom: input.flag({
      description:
        'Write a CycloneDX 1.6 bill of materials beside each program, made from its own build info.',
      default: 'true',
    }),
    checksums: input.text({
      description:
        'Name of the file of checksums in the output folder (sha256sum --check reads it); off for none.',
      default: 'checksums.txt',
    }),
    cache: input.choice(['auto', 'actions', 'directory', 'off'], {
      description:
        'Where modules, compiled packages and programs are kept between runs: actions is the GitHub Actions cache, directory a folder; auto: the Actions cache on a runner that has one, none in a terminal.',
      default: 'auto',
    }),
    'cache-directory': input.text({
      description: 'Folder for cache: directory, such as a disk that self-hosted runners share.',
    }),
    'cache-limit': input.size({
      description: 'Size that the cache folder is kept under; the oldest entries go first.',
      default: '10 GB',
    }),
    plan: input.flag({ description: 'Print what would be built and why, and stop.' }),
  },
  outputs: {
    binaries:
      'JSON list of the programs: name, package, target, path, digest, size, goVersion, sbom, reused, because, milliseconds.',
    path: 'Path of the first program.',
    digest: 'SHA-256 of the first program, as sha256:….',
    'build-info': 'JSON list of what each program says about itself (debug/buildinfo).',
    directory: 'Absolute path of the output folder.',
    checksums: 'Path of the file of checksums.',
    'go-version': 'Version of the Go that compiled the programs, such as go1.26.8.',
    changed: 'false when nothing had to be built.',
    plan: 'JSON of the plan: each program, whether it is built or reused, and why.',
  },
  post: true,
});
