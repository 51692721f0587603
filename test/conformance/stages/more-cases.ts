import type { Context } from '../image/context.ts';
import { nonce, type StageCase, tree } from './stage-case.ts';

/** The default run gives each a few edits, in turn. */
export const moreCases: readonly StageCase[] = [
  {
    name: 'COPY by name, by number and from an image',
    dockerfile: `
FROM @alpine@
COPY src/main.txt /
RUN cat /main.txt > /zero && ${nonce('/nonce-zero')}
FROM @debian@ AS named
COPY --from=0 /zero /zero
COPY --from=@alpine@ /etc/passwd /passwd
RUN cat /zero /passwd > /one && ${nonce('/nonce-one')}
FROM @debian@ AS final
COPY --from=0 /nonce-zero /
COPY --from=named /one /nonce-one /
COPY --from=@alpine@ /etc/group /group`,
    swapped: ['COPY --from=0 /zero /zero', 'COPY --from=@alpine@ /etc/passwd /passwd'],
  },
  {
    name: 'stages on stages with RUN',
    dockerfile: `
FROM @alpine@ AS base
RUN echo base > /base
FROM base AS one
COPY src/main.txt /
RUN cat /base /main.txt > /one && ${nonce('/nonce-one')}
FROM base AS two
COPY conf /conf
RUN cat /base /conf/* > /two && ${nonce('/nonce-two')}
FROM scratch AS final
COPY --from=one /one /nonce-one /
COPY --from=two /two /nonce-two /`,
    swapped: ['COPY --from=one /one /nonce-one /', 'COPY --from=two /two /nonce-two /'],
  },
  {
    name: 'a final stage on a stage with RUN',
    dockerfile: `
FROM @alpine@ AS base
RUN echo base > /base
FROM base AS final
COPY src /src
ENV X=y`,
  },
  {
    name: 'a cache mount',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN --mount=type=cache,target=/cache,id=stages-plain cp /src/main.txt /cache/ && cat /src/lib/* > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'a cache mount that starts from a stage',
    dockerfile: `
FROM @alpine@ AS seed
COPY conf /seed/conf
RUN echo seed > /seed/seed && ${nonce('/nonce-seed')}
FROM @alpine@ AS build
COPY src /src
RUN --mount=type=cache,id=stages-from,from=seed,source=/seed,target=/c,mode=0755 cat /c/seed /src/main.txt > /out && ${nonce('/nonce-build')}
FROM scratch AS final
COPY --from=build /out /nonce-build /
COPY --from=seed /nonce-seed /`,
  },
  {
    name: 'tmpfs, and a mount that is written to',
    dockerfile: `
FROM @alpine@ AS build
RUN --mount=type=tmpfs,target=/t --mount=type=bind,source=src,target=/src,rw \\
    echo x > /t/x && echo y > /src/y && cat /t/x /src/*.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'secrets: as a file, as a variable, one that is not there',
    dockerfile: `
FROM @alpine@ AS build
COPY src/main.txt /
RUN --mount=type=secret,id=token --mount=type=secret,id=absent test -s /run/secrets/token && wc -l < /main.txt > /out
RUN --mount=type=secret,id=token,env=TOKEN,required test -n "$TOKEN" && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'heredocs',
    dockerfile: `
FROM @alpine@ AS build
ARG WORD=one
COPY <<EOF /script.sh
echo from-$WORD
EOF
COPY <<"EOF" /plain.txt
not $EXPANDED
EOF
COPY src/main.txt /
RUN <<EOF
sh /script.sh > /out
cat /plain.txt /main.txt >> /out
${nonce('/nonce')}
EOF
FROM scratch AS final
COPY --from=build /out /nonce /
COPY <<EOF /etc/final.conf
a: 1
EOF`,
    argument: { WORD: 'two' },
  },
  {
    name: 'a base by argument',
    dockerfile: `
ARG BASE=@alpine@
FROM $BASE AS build
COPY src /src
RUN ls /etc > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
    argument: { BASE: '@debian@' },
  },
  {
    name: 'an argument that is declared behind a RUN',
    dockerfile: `
FROM @alpine@ AS build
COPY src/main.txt /
RUN cat /main.txt > /out
ARG LATE=1
RUN echo $LATE > /late && ${nonce('/nonce-late')}
FROM @alpine@ AS other
COPY --from=build /out /out
RUN cat /out > /other && ${nonce('/nonce-other')}
FROM scratch AS final
COPY --from=other /other /nonce-other /
COPY --from=build /late /nonce-late /`,
    argument: { LATE: '2' },
  },
  {
    name: 'an argument that no RUN reads',
    dockerfile: `
FROM @alpine@ AS build
ARG UNREAD=1
COPY src/main.txt /
RUN cat /main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
ARG UNREAD
COPY --from=build /out /nonce /`,
    argument: { UNREAD: '2' },
  },
  {
    name: 'a proxy, which is no part of what is made',
    dockerfile: `
FROM @alpine@ AS build
COPY src/main.txt /
RUN cat /main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
    argument: { NO_PROXY: 'localhost' },
  },
  {
    name: 'a proxy that the stage declares',
    dockerfile: `
FROM @alpine@ AS build
ARG NO_PROXY=nowhere
RUN echo $NO_PROXY > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /
COPY src /src`,
    argument: { NO_PROXY: 'localhost' },
  },
  {
    name: 'USER, WORKDIR and SHELL',
    dockerfile: `
FROM @debian@ AS build
WORKDIR /deep/work
COPY --chown=nobody src .
RUN chown nobody .
USER nobody
WORKDIR here
SHELL ["/bin/sh", "-eu", "-c"]
RUN id -u > ../out; pwd >> ../out; cat ../main.txt >> ../out
RUN ["/bin/sh", "-c", "${nonce('../nonce')}"]
FROM @alpine@ AS final
WORKDIR /app
COPY --from=build /deep/work/out /deep/work/nonce ./
USER 1000
CMD ["sh"]`,
  },
  {
    name: 'variables of a stage in the paths of later ones',
    dockerfile: `
FROM @alpine@ AS base
ENV OUT=/result DIR=lib
FROM base AS build
COPY src/$DIR $OUT/$DIR
RUN cat $OUT/$DIR/* > $OUT/all && ${nonce('$OUT/nonce')}
FROM scratch AS final
ARG WHAT=all
ENV FROM=/result
COPY --from=build $FROM/$WHAT $FROM/nonce /`,
    used: 'src/lib/a.txt',
    outside: 'src/main.txt',
  },
  {
    name: 'ONBUILD',
    dockerfile: `
FROM @alpine@ AS base
ONBUILD COPY src /src
ONBUILD RUN cat /src/main.txt > /triggered
FROM base AS build
RUN cat /triggered > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'owners and modes from stage to stage',
    dockerfile: `
FROM @alpine@ AS build
COPY --chown=5:6 --chmod=640 src /src
RUN cat /src/main.txt > /out && chmod 600 /out && ${nonce('/nonce')}
FROM @debian@ AS final
COPY --from=build --chown=nobody:www-data --chmod=4755 /out /bin/out
COPY --from=build --chown=7 /src /srv
COPY --from=build --chmod=0700 /src/lib /srv/lib2
COPY --from=build /nonce /`,
    more: { 'mode of a used file': 'a mode that --chmod replaces is no part of what is copied' },
  },
  {
    name: '--link',
    dockerfile: `
FROM @alpine@ AS build
COPY --link src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce')}
FROM @debian@ AS final
COPY --link --from=build /out /bin/out
COPY --link --from=build --chown=1:2 /src/lib /a/b/c
COPY --link --from=build /nonce /`,
  },
  {
    name: '--parents between stages',
    dockerfile: `
FROM @alpine@ AS build
COPY --parents src/main.txt src/lib /w/
RUN chmod 700 /w/src/lib && ${nonce('/w/nonce')}
FROM scratch AS final
COPY --parents --from=build /w/./src/lib/*.txt /w/./src/main.txt /p/
COPY --from=build /w/nonce /`,
  },
  {
    name: '--exclude between stages',
    dockerfile: `
FROM @alpine@ AS build
COPY --exclude=*.sh src /w
RUN touch /w/x.tmp && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build --exclude=*.tmp --exclude=lib/a.txt /w /w
COPY --from=build /nonce /`,
  },
  {
    name: 'patterns from stage to stage',
    dockerfile: `
FROM @alpine@ AS build
COPY src/lib/*.txt src/mai?.txt /w/
RUN cp /w/main.txt /w/main.out && touch /w/b.out && ${nonce('/w/nonce')}
FROM scratch AS final
COPY --from=build /w/*.out /o/
COPY --from=build /w/[ab].* /w/n* /o/`,
  },
  {
    name: 'a whole stage into an image',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN rm -rf /bin/v* /etc/ssl && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build / /`,
  },
  {
    name: 'a stage that deletes what its base has',
    dockerfile: `
FROM @debian@ AS build
COPY src/main.txt /etc/new
RUN rm -rf /etc/ssl /etc/group && echo changed > /etc/nsswitch.conf && mkdir /etc/made && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /etc /etc
COPY --from=build /nonce /`,
  },
  {
    name: 'a link in the way of what is copied',
    dockerfile: `
FROM @debian@ AS build
COPY src /data/v1
RUN ln -s v1 /data/current && ln -s /data/current/main.txt /main && ${nonce('/data/v1/nonce')}
FROM @debian@ AS final
COPY --from=build /data/current /bin/data
COPY --from=build /main /data/current/lib/a.txt /opt/
COPY --from=build /data/current/ /sbin/`,
  },
  {
    name: '.dockerignore with ways back',
    dockerfile: `
FROM @alpine@ AS build
COPY . /all
RUN find /all | sort > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /
COPY --from=build /all /all`,
    files: {
      ...tree,
      '.dockerignore': '*\n!src\nsrc/lib/*\n!src/lib/a.txt\n!conf/*.conf\n**/*.sh\nDockerfile\n',
    },
    renamed: 'src/main.txt',
    used: 'conf/app.conf',
    added: 'src/new.txt',
    ignored: 'src/lib/c.txt',
  },
  {
    name: 'the whole context in a stage',
    dockerfile: `
FROM @alpine@ AS build
WORKDIR /src
COPY . .
RUN cat src/main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
    files: { ...tree, '.dockerignore': 'ignored\nDockerfile\n.dockerignore\n' },
    outside: null,
  },
  {
    name: 'an ignore file of the Dockerfile’s own',
    dockerfile: `
FROM @alpine@ AS build
COPY . /all
RUN ls /all > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
    files: { ...tree, 'Dockerfile.dockerignore': 'docs\nignored\nDockerfile*\n' },
  },
  {
    name: 'two platforms from one run on the builder’s own',
    dockerfile: `
FROM --platform=$BUILDPLATFORM @alpine@ AS build
COPY src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
ARG TARGETARCH
COPY --from=build /out /nonce /
COPY src/lib /$TARGETARCH`,
    platforms: ['linux/amd64', 'linux/arm64'],
  },
  {
    name: 'two platforms, each with a run of its own',
    dockerfile: `
FROM --platform=$BUILDPLATFORM @alpine@ AS shared
COPY src /src
RUN cat /src/main.txt > /shared && ${nonce('/nonce-shared')}
FROM --platform=$BUILDPLATFORM @alpine@ AS build
ARG TARGETOS TARGETARCH
COPY --from=shared /shared /shared
RUN echo $TARGETOS-$TARGETARCH | cat - /shared > /out && ${nonce('/nonce-build')}
FROM scratch AS final
COPY --from=build /out /nonce-build /
COPY --from=shared /nonce-shared /`,
    platforms: ['linux/amd64', 'linux/arm64'],
  },
  {
    name: 'stages in front that the target does not use',
    dockerfile: `
FROM @alpine@ AS lint
COPY docs /docs
RUN cat /docs/* > /linted
FROM @alpine@ AS test
COPY src /src
RUN false
FROM @alpine@ AS build
COPY src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'a stage with RUN as target, not the last one',
    target: 'middle',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce-build')}
FROM @debian@ AS middle
COPY --from=build /out /nonce-build /
RUN cat /out > /middle && ${nonce('/nonce-middle')}
EXPOSE 80
FROM scratch
COPY nowhere /
COPY --from=middle /middle /`,
  },
  {
    name: 'a target in other letters',
    target: 'SECOND',
    dockerfile: `
FROM @alpine@
COPY src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce')}
FROM scratch AS Second
COPY --from=0 /out /nonce /
FROM @alpine@
RUN echo unused`,
  },
  {
    name: 'a named context in a stage',
    dockerfile: `
FROM @alpine@ AS build
COPY --from=shared proto /proto
RUN --mount=from=shared,source=more,target=/more cat /proto/* /more/* > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /
COPY --from=shared proto/a.proto /
COPY src /src`,
    contexts: { shared: { 'proto/a.proto': 'a\n', 'more/m': 'm\n', 'unused/u': 'u\n' } },
  },
  {
    name: 'what each later stage takes is looked at for itself',
    dockerfile: `
FROM @alpine@ AS make
COPY src /src
RUN cat /src/lib/* > /lib.out && cat /src/main.txt > /main.out && ${nonce('/nonce-make')}
FROM @alpine@ AS lib
COPY --from=make /lib.out /
RUN cat /lib.out > /o && ${nonce('/nonce-lib')}
FROM @alpine@ AS main
COPY --from=make /main.out /
RUN cat /main.out > /o && ${nonce('/nonce-main')}
FROM scratch AS final
COPY --from=lib /o /nonce-lib /lib/
COPY --from=main /o /nonce-main /main/
COPY --from=make /nonce-make /`,
  },
  {
    name: 'an archive that is unpacked',
    dockerfile: `
FROM @alpine@ AS build
ADD vendor.tar /vendor
ADD src/main.txt /
RUN cat /vendor/v/* /main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /
ADD vendor.tar /vendor`,
    files: {
      ...tree,
      'vendor.tar': { archive: { 'v/one': '1\n', 'v/two': '2\n' }, tar: ['-c', '--mtime=@0'] },
    },
  },
  {
    name: 'RUN without a network',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN --network=none cat /src/main.txt > /out && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /out /nonce /`,
  },
  {
    name: 'a configuration of many parts around a stage',
    dockerfile: `
FROM @alpine@ AS build
COPY src /src
RUN cat /src/main.txt > /out && ${nonce('/nonce')}
FROM @debian@ AS final
ARG VERSION=1
LABEL version=$VERSION
ENV VERSION=v$VERSION
COPY --from=build /out /nonce /
EXPOSE 80
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK CMD true
ENTRYPOINT ["/out"]`,
    argument: { VERSION: '2' },
  },
  {
    name: 'names that need care',
    dockerfile: `
FROM @alpine@ AS build
COPY ["src/with space.txt", "src/quo?te.txt", "/w/"]
COPY src/ünï.txt src/dash-.txt /w/
RUN for f in /w/*; do cp "$f" "$f.out"; done; ${nonce('"/w/nonce and more"')}
FROM scratch AS final
COPY --from=build /w /w
COPY --from=build ["/w/with space.txt.out", "/w/quo?te.txt.out", "/o/"]`,
    files: {
      ...tree,
      'src/with space.txt': 's\n',
      "src/quo'te.txt": 'q\n',
      'src/ünï.txt': 'u\n',
      'src/dash-.txt': 'd\n',
    },
    used: 'src/with space.txt',
    renamed: null,
    outside: 'src/main.txt',
  },
  {
    name: 'two stages of the same instructions',
    dockerfile: `
FROM @alpine@ AS one
COPY src/main.txt /
RUN cat /main.txt > /out && ${nonce('/nonce-x')}
FROM @alpine@ AS two
COPY src/main.txt /
RUN cat /main.txt > /out && ${nonce('/nonce-x')}
FROM scratch AS final
COPY --from=one /out /nonce-x /one/
COPY --from=two /out /nonce-x /two/`,
  },
  {
    name: 'a stage that a later one both starts from and copies from',
    dockerfile: `
FROM @alpine@ AS keys
RUN ${nonce('/key')} && sha256sum < /key > /twin-public
FROM keys AS sign
COPY src/main.txt /
RUN cat /main.txt > /signed && sha256sum < /key > /twin-signature && ${nonce('/nonce-sign')}
FROM scratch AS final
COPY --from=keys /twin-public /
COPY --from=sign /signed /twin-signature /nonce-sign /`,
  },
  {
    name: 'a mount of a whole stage',
    dockerfile: `
FROM @alpine@ AS tools
COPY conf /conf
RUN ${nonce('/nonce-tools')}
FROM @alpine@ AS build
COPY src/main.txt /
RUN --mount=from=tools,target=/tools cat /tools/conf/* /main.txt > /out && mkdir /seen && cp /tools/nonce-tools /seen && ${nonce('/nonce-build')}
FROM scratch AS final
COPY --from=build /out /nonce-build /seen/nonce-tools /`,
  },
  {
    name: 'a Go program with its modules beside it',
    slow: true,
    inputs: { lift: 'never' },
    dockerfile: `
FROM @golang@ AS build
WORKDIR /src
COPY go.mod ./
COPY vendor vendor
COPY *.go ./
ARG VERSION=dev
RUN --mount=type=cache,target=/root/.cache/go-build CGO_ENABLED=0 go build -trimpath -mod=vendor -ldflags "-s -w -X main.version=$VERSION" -o /app . && ${nonce('/nonce')}
FROM scratch AS final
COPY --from=build /app /nonce /
COPY conf /etc/app
ENTRYPOINT ["/app"]`,
    files: goFiles(),
    used: 'main.go',
    renamed: 'main.go',
    added: 'vendor/example.com/greet/new.txt',
    argument: { VERSION: '1.0' },
  },
  {
    name: 'a Go program that may be made without a container',
    slow: true,
    lifted: ['build'],
    dockerfile: `
FROM @golang@ AS build
WORKDIR /src
COPY go.mod ./
COPY vendor vendor
COPY *.go ./
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -mod=vendor -ldflags "-s -w -X main.version=$VERSION" -o /app .
FROM scratch AS final
COPY --from=build /app /
COPY conf /etc/app
ENTRYPOINT ["/app"]`,
    files: goFiles(),
    used: 'main.go',
    renamed: 'main.go',
    added: 'vendor/example.com/greet/new.txt',
    argument: { VERSION: '1.0' },
  },
];

/** A program of the runtime alone: what takes time is compiling the standard library. */
function goFiles(): Context {
  return {
    '.dockerignore': 'ignored\n',
    'go.mod': 'module example.com/app\n\ngo 1.24\n\nrequire example.com/greet v1.0.0\n',
    'main.go':
      'package main\n\nimport "example.com/greet"\n\nvar version string\n\nfunc main() { println(greet.Word, version) }\n',
    'vendor/modules.txt': '# example.com/greet v1.0.0\n## explicit; go 1.24\nexample.com/greet\n',
    'vendor/example.com/greet/greet.go': 'package greet\n\nconst Word = "hello"\n',
    'conf/app.conf': 'conf\n',
    'docs/guide.txt': 'guide\n',
    'ignored/old.txt': 'ignored\n',
  };
}
