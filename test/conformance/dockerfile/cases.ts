/** A question to both sides: what does this build come to? */
export interface Build {
  readonly dockerfile: string;
  readonly target?: string;
  readonly platform?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
}

const scratch = (...lines: string[]): Build => ({ dockerfile: `FROM scratch\n${lines.join('\n')}\n` });

/** Builds that BuildKit takes. */
export const cases: Readonly<Record<string, Build>> = {
  'nothing but FROM scratch': scratch(),
  'ENV, where all pairs are expanded before one is set': scratch('ENV a=1', 'ENV a=2 b=$a', 'ENV c $a $b'),
  'ENV that replaces where it stands': scratch('ENV PATH=/x:$PATH', 'ENV a=1', 'ENV PATH=/y'),
  'ARG that hides ENV for expansion only': scratch('ENV v=env', 'ARG v=arg', 'LABEL l=$v'),
  'ARG without a value': scratch('ARG a', 'ARG b=', 'ENV x="$a.$b.${a-unset}.${b-unset}"', 'RUN y'),
  'ARG from the command line': {
    dockerfile: 'ARG v=0\nFROM scratch\nARG v\nARG w=$v\nENV x=$v$w\nRUN y\n',
    buildArgs: { v: '1' },
  },
  'ARG with a default in the stage against a global one': {
    dockerfile: 'ARG v=global\nFROM scratch\nARG v=stage\nENV x=$v\n',
  },
  'ARG that refers to the ARG before it on one line': scratch('ARG a=1 b=$a c=$b', 'LABEL l=$c'),
  'ARG inherited from the base stage': {
    dockerfile: 'FROM scratch AS a\nARG v=1\nFROM a\nARG w=2\nRUN x $v\n',
  },
  'platform arguments': scratch(
    'ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH TARGETSTAGE',
    'RUN x',
  ),
  'platform arguments of arm': {
    ...scratch('ARG TARGETPLATFORM', 'ARG TARGETVARIANT', 'LABEL p=$TARGETPLATFORM v=$TARGETVARIANT'),
    platform: 'linux/arm/v6',
  },
  'a predefined argument given by hand': {
    ...scratch('ARG TARGETARCH', 'LABEL p=$TARGETARCH'),
    buildArgs: { TARGETARCH: 'mine' },
  },
  substitutions: scratch(
    'ENV a=foo.tar.gz e=',
    'LABEL x="${a%.*}" y="${a%%.*}" z="${a#*.}" w="${a##*.}" v="${a/o/0}" u="${a//o/0}" t="${e:-d}${e-d}${e:+d}${e+d}"',
  ),
  'quotes and escapes': scratch(
    `ENV a='$b' c="\\$d" e=f\\ g h="i'j"`,
    'LABEL "multi word"="va lue" k=\'single $x\'',
  ),
  'the other escape character': {
    dockerfile: '# escape=`\nFROM scratch\nENV a=b` c d=`$e\nWORKDIR /x\\y\nLABEL z="a`"b"\n',
  },
  'WORKDIR, joined': scratch('WORKDIR /a', 'WORKDIR b', 'WORKDIR ../c/./d', 'WORKDIR /e/../f/', 'WORKDIR /'),
  'WORKDIR under a user': scratch('USER 1:2', 'WORKDIR /a', 'USER x', 'WORKDIR b'),
  'EXPOSE in all forms': scratch(
    'ENV p=99',
    'EXPOSE 80 443/udp 1000-1002/SCTP $p',
    'EXPOSE 1:2 127.0.0.1:3:4',
    'EXPOSE 80',
  ),
  'EXPOSE with a substitution inside a word': scratch('EXPOSE 8${p:-80}'),
  'VOLUME in both forms': scratch('ENV v=w', 'VOLUME /a /$v', 'VOLUME ["/b c", "$v"]'),
  'CMD and ENTRYPOINT': scratch('CMD ["a"]', 'ENTRYPOINT ["b"]', 'CMD c d'),
  'ENTRYPOINT that resets the CMD of the base': {
    dockerfile: 'FROM scratch AS a\nCMD ["a"]\nFROM a\nENTRYPOINT ["b"]\n',
  },
  'ENTRYPOINT that keeps the CMD of its own stage': scratch('CMD ["a"]', 'ENTRYPOINT ["b"]'),
  'empty lists': scratch('CMD ["a"]', 'ENTRYPOINT ["b"]', 'CMD []', 'ENTRYPOINT []'),
  'JSON that is not quite JSON': scratch(`CMD ['a', "b"]`, 'ENTRYPOINT ["a",]', 'RUN ["a"'),
  'characters that Go quotes': scratch('CMD ["\\u00e9\\t\\"\\\\", "\\u200b\\u0007\\ud83d\\ude00"]'),
  SHELL: scratch('SHELL ["bash", "-ec"]', 'RUN a', 'CMD b', 'ENTRYPOINT c'),
  'HEALTHCHECK with every flag': scratch(
    'HEALTHCHECK --interval=1h30m --timeout=500ms --start-period=2m --start-interval=1.5s --retries=3 CMD a b',
  ),
  'HEALTHCHECK in JSON form': scratch('HEALTHCHECK CMD ["a", "b"]'),
  'HEALTHCHECK NONE with any flag': scratch('HEALTHCHECK --nonsense=1 NONE'),
  STOPSIGNAL: scratch('STOPSIGNAL $x${y:-SIGRTMIN+3}'),
  LABEL: scratch('LABEL a=b', 'LABEL a=c d="e f" \\\n  g=h', 'LABEL i j k'),
  MAINTAINER: scratch('MAINTAINER "Some One" <x@y>'),
  USER: scratch('USER nobody', 'USER 65532:65532', 'RUN x'),
  'COPY with every flag': scratch(
    'COPY --chown=1:2 --chmod=u=rwX,go=rX --link --exclude=*.md --exclude=!a.md --parents a/./b* c/ /d/',
  ),
  'COPY destinations': scratch(
    'WORKDIR /w',
    'COPY a .',
    'COPY a ./',
    'COPY a ..',
    'COPY a b/',
    'COPY a /c/.',
    'COPY a /d/../e',
    'COPY a ""',
  ),
  'COPY in JSON form': scratch('COPY ["a b", "c", "/d e/"]'),
  'COPY with variables': scratch('ENV u=1 d=/x', 'COPY --chown=$u --chmod=0${u}44 $d/* $d/'),
  'COPY heredocs': scratch(
    'ENV v=1',
    'COPY <<a <<-"b" c /d/\n$v "q" \\$v\na\n\t$v\n\tb',
    'COPY <<EOF x\nEOF',
  ),
  'COPY --from a number, a name in any case and an image': {
    dockerfile:
      'FROM scratch AS one\nFROM scratch\nCOPY --from=0 /a /b\nCOPY --from=ONE /a /c\nCOPY --from=alpine:3 /a /d\nCOPY --from=scratch /a* /e\n',
  },
  ADD: scratch(
    'ADD a.tar.gz /x/',
    'ADD --unpack=true b.tar /',
    'ADD --unpack=false c.tar /',
    'ADD --chmod=644 https://x.example/a.tar.gz?b=c /y/',
  ),
  'ADD with a checksum': scratch(
    'ARG sum=24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d',
    'ADD --checksum=sha256:$sum https://x.example/a /y',
  ),
  'RUN in both forms': scratch('ENV a=b', 'RUN echo $a', 'RUN ["echo", "$a"]'),
  'RUN with arguments in its history': scratch('ARG a=1', 'ARG b', 'ENV c=3', 'ARG a=2', 'RUN x'),
  'RUN heredocs': scratch(
    'RUN <<EOF\necho $a\nEOF',
    'RUN <<-x\n\t#!/bin/sh\n\tcat\n\tx',
    'RUN cat <<A 3<<B > c\na\nA\nb\nB',
    'RUN <<"q r"\nx\nq r',
  ),
  'RUN mounts': {
    dockerfile:
      'FROM scratch AS s\nFROM scratch\nENV d=/cache\nWORKDIR /w\nRUN --mount=type=cache,target=$d,id=i,sharing=locked,mode=0700,uid=1 --mount=from=s,source=/a,target=b,rw --mount=type=tmpfs,dst=/t,size=64m --mount=type=secret,id=x,required,env=X --mount=type=ssh --mount=target=/ctx,ro=false x\n',
  },
  'RUN network and security': scratch('RUN --network=none --security=insecure x', 'RUN --network=host y'),
  ONBUILD: scratch('ONBUILD COPY a b', 'onbuild run <<EOF\nx\nEOF'),
  'ONBUILD of a stage': {
    dockerfile:
      'FROM scratch AS a\nONBUILD ENV x=$y\nONBUILD COPY --from=b /a /b\nONBUILD RUN x\nFROM scratch AS b\nFROM a\nRUN z\n',
  },
  'ONBUILD of an image': { dockerfile: 'FROM base\nRUN z $trig\n' },
  'a base image': {
    dockerfile:
      'FROM alpine@sha256:c5b1261d6d3e43071626931fc004f70149baeba2c8ec672bd4f27761f8e1ad6b\nRUN x\nWORKDIR y\n',
  },
  'a base image for another platform': {
    dockerfile:
      'FROM --platform=$BUILDPLATFORM alpine AS b\nRUN x\nFROM --platform=linux/arm/v7 alpine\nCOPY --from=b /a /b\n',
  },
  'a base from arguments': { dockerfile: 'ARG reg=ghcr.io/x tag\nFROM ${reg}/y:${tag:-1}\n' },
  'a stage that nobody needs': { dockerfile: 'FROM scratch AS a\nRUN x\nFROM scratch\nENV y=1\n' },
  'a target in the middle': {
    dockerfile: 'FROM scratch AS a\nENV x=1\nARG TARGETSTAGE\nLABEL s=$TARGETSTAGE\nFROM a AS b\nENV y=1\n',
    target: 'A',
  },
  'a later stage with a name that is there already': {
    dockerfile: 'FROM scratch AS a\nENV x=1\nFROM a AS a\nENV y=1\nFROM a\nENV z=1\n',
  },
  'stages that build on each other': {
    dockerfile: 'FROM base AS a\nCMD x\nFROM a AS b\nENV A=2\nFROM b\nVOLUME /z\nRUN y\n',
  },
  'lower case, comments in between, and CRLF': {
    dockerfile: 'from scratch\r\n# c\r\nenv a=b \\\r\n  # d\r\n  c=d\r\nrun x \\\r\n\r\n  y\r\n',
  },
  'a byte order mark': { dockerfile: '\ufeffFROM scratch\nENV a=b\n' },
  directives: {
    dockerfile: '# syntax=docker/dockerfile:1\n# escape=`\n# check=skip=all\nFROM scratch\nRUN a `\n b\n',
  },
  'a backslash at the end of the file': { dockerfile: 'FROM scratch\nRUN x \\' },
  'an unset variable where BuildKit keeps quiet': scratch(
    'LABEL a=$nothing',
    'COPY $nothing /x',
    'USER ${nothing:-me}',
  ),
  SOURCE_DATE_EPOCH: {
    ...scratch('ARG SOURCE_DATE_EPOCH', 'RUN x'),
    buildArgs: { SOURCE_DATE_EPOCH: '1700000000' },
  },
};

/** Builds that BuildKit refuses before it fetches anything. */
export const refused: Readonly<Record<string, Build>> = {
  'an empty file': { dockerfile: '' },
  'comments alone': { dockerfile: '# a\n' },
  'ARG alone': { dockerfile: 'ARG a\n' },
  'an instruction before FROM': { dockerfile: 'RUN a\nFROM scratch\n' },
  'an unknown instruction': scratch('FORM x'),
  'an unknown flag': scratch('COPY --form=x a b'),
  'a flag twice': scratch('COPY --from=x --from=y a b'),
  'a flag without its value': scratch('COPY --from a b'),
  'a flag that is no truth value': scratch('COPY --link=maybe a b'),
  'a flag where none is taken': scratch('ENV --x a=b'),
  'FROM without an image': { dockerfile: 'FROM\n' },
  'FROM with two words': { dockerfile: 'FROM a b\n' },
  'FROM with a bad name': { dockerfile: 'FROM scratch AS 1a\n' },
  'FROM with an empty variable': { dockerfile: 'FROM $x\n' },
  'FROM with a bad reference': { dockerfile: 'FROM Alpine\n' },
  'a bad reference in a stage that nobody needs': { dockerfile: 'FROM a:b:c AS x\nFROM scratch\n' },
  'a bad platform': { dockerfile: 'FROM --platform=li*nux/amd64 alpine\n' },
  'an unknown target': { ...scratch(), target: 'x' },
  'COPY without a destination': scratch('COPY a'),
  'COPY to a heredoc': scratch('COPY a <<EOF\nEOF'),
  'COPY from itself': { dockerfile: 'FROM scratch AS a\nCOPY --from=a x y\n' },
  'COPY in a circle': {
    dockerfile: 'FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y\n',
  },
  'COPY from a later stage': { dockerfile: 'FROM scratch AS a\nCOPY --from=b x y\nFROM a AS b\n' },
  'COPY from a number that is too high': scratch('COPY --from=3 x y'),
  'COPY from a variable': scratch('ARG x', 'COPY --from=$x a b'),
  'COPY of a URL': scratch('COPY https://x.example/a /b'),
  'COPY of a git repository': scratch('COPY git@x.example:a/b.git /b'),
  'COPY with a bad mode': scratch('COPY --chmod=999 a b'),
  'COPY with a mode too high': scratch('COPY --chmod=17777 a b'),
  'COPY with a bad symbolic mode': scratch('COPY --chmod=u+q a b'),
  'COPY --link with a named owner': scratch('COPY --link --chown=app a b'),
  'ADD with a checksum for a local file': scratch(
    'ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d a b',
  ),
  'a heredoc that is never closed': scratch('RUN <<EOF\nx'),
  'a quote that is never closed': scratch('ENV a="b'),
  'a variable that is required': scratch('LABEL a=${b:?missing}'),
  'a bad substitution': scratch('LABEL a=${b^^}'),
  'ENV without a value': scratch('ENV a'),
  'ENV with a word that is no pair': scratch('ENV a=b c'),
  'ENV without a name': scratch('ENV =b'),
  'LABEL without anything': scratch('LABEL'),
  'ARG without a name': scratch('ARG =b'),
  'JSON that holds a number': scratch('CMD ["a", 1]'),
  'SHELL without JSON': scratch('SHELL bash -c'),
  'EXPOSE of a bad port': scratch('EXPOSE 99999'),
  'EXPOSE of a bad protocol': scratch('EXPOSE 80/http'),
  'EXPOSE of a range backwards': scratch('EXPOSE 20-10'),
  'EXPOSE with a bad address': scratch('EXPOSE 1.2.3:80:80'),
  'VOLUME without a path': scratch('VOLUME'),
  'VOLUME with an empty path': scratch('VOLUME ["/a", ""]'),
  'STOPSIGNAL that is none': scratch('STOPSIGNAL SIGNOPE'),
  'HEALTHCHECK with a bad type': scratch('HEALTHCHECK EXEC x'),
  'HEALTHCHECK NONE with a command': scratch('HEALTHCHECK NONE x'),
  'HEALTHCHECK CMD without a command': scratch('HEALTHCHECK CMD'),
  'HEALTHCHECK with a bad interval': scratch('HEALTHCHECK --interval=5 CMD x'),
  'HEALTHCHECK with an interval too short': scratch('HEALTHCHECK --interval=5us CMD x'),
  'HEALTHCHECK with negative retries': scratch('HEALTHCHECK --retries=-1 CMD x'),
  'ONBUILD of ONBUILD': scratch('ONBUILD ONBUILD RUN x'),
  'ONBUILD of FROM': scratch('ONBUILD FROM x'),
  'RUN on a bad network': scratch('RUN --network=bridge x'),
  'RUN with a bad security mode': scratch('RUN --security=root x'),
  'RUN with a mount of a bad type': scratch('RUN --mount=type=volume,target=/a x'),
  'RUN with a mount option that is none': scratch('RUN --mount=type=cache,path=/a x'),
  'RUN with a mount without a target': scratch('RUN --mount=type=cache x'),
  'RUN with a mount from a variable': scratch('ARG x', 'RUN --mount=from=$x,target=/a y'),
  'RUN with a mode for a bind mount': scratch('RUN --mount=target=/a,mode=0700 y'),
  'RUN with sharing for a tmpfs': scratch('RUN --mount=type=tmpfs,target=/a,sharing=locked y'),
  'RUN with a secret that has no name': scratch('RUN --mount=type=secret y'),
  'RUN with a mount from a later stage': {
    dockerfile: 'FROM scratch AS a\nRUN --mount=from=b,target=/b x\nFROM a AS b\n',
  },
  'a directive given twice': { dockerfile: '# escape=`\n# escape=`\nFROM scratch\n' },
  'an escape character that is none': { dockerfile: '# escape=x\nFROM scratch\n' },
  'a line that is too long': scratch(`RUN ${'x'.repeat(70_000)}`),
};
