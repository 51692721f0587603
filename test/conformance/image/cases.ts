import type { Context } from './context.ts';

/** A Dockerfile with its context. `@debian@`, `@distroless@` and `@alpine@` stand for base images. */
export interface Case {
  readonly name: string;
  readonly dockerfile: string;
  readonly files?: Context;
  readonly args?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Named contexts by folder of the context's parent. */
  readonly contexts?: Readonly<Record<string, Context>>;
  /** A sentence that the plan must give as its reason to leave the image to a builder. */
  readonly leftToBuilder?: RegExp;
  /** Both must refuse; our sentence has to match. */
  readonly refused?: RegExp;
  /** Why the engine's own builder (28, graph driver, buildx 0.29) cannot be compared with. */
  readonly notByEngine?: string;
}

const tree: Context = {
  'a.txt': 'a',
  'b.md': 'b',
  '.hidden': 'h',
  'run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
  'secret.key': { text: 'k', mode: 0o600 },
  'dir/one.txt': '1',
  'dir/two.md': '2',
  'dir/.dot': '.',
  'dir/sub/three.txt': '3',
  'dir/sub/deep/four.go': '4',
  'dir/empty': { directory: 0o700 },
  'dir/sticky': { directory: 0o1777 },
  'dir/link': { link: 'one.txt' },
  'dir/absolute': { link: '/etc/passwd' },
  'dir/dangling': { link: 'nowhere' },
  tofile: { link: 'a.txt' },
  todir: { link: 'dir' },
};

export const cases: readonly Case[] = [
  { name: 'one file to the root', dockerfile: 'FROM scratch\nCOPY a.txt /', files: tree },
  { name: 'one file under another name', dockerfile: 'FROM scratch\nCOPY a.txt /x/y/z', files: tree },
  {
    name: 'one file into a folder that is not there',
    dockerfile: 'FROM scratch\nCOPY a.txt /x/y/',
    files: tree,
  },
  { name: 'a folder: its content, not itself', dockerfile: 'FROM scratch\nCOPY dir /d', files: tree },
  {
    name: 'a folder with a trailing slash to one with',
    dockerfile: 'FROM scratch\nCOPY dir/ /d/',
    files: tree,
  },
  { name: 'the whole context', dockerfile: 'FROM scratch\nCOPY . /', files: tree },
  {
    name: 'the whole context below a WORKDIR',
    dockerfile: 'FROM scratch\nWORKDIR /srv/app\nCOPY . .',
    files: tree,
  },
  { name: 'several files', dockerfile: 'FROM scratch\nCOPY a.txt b.md run.sh secret.key /bin/', files: tree },
  {
    name: 'several files, no slash: each takes the place of the one before',
    dockerfile: 'FROM scratch\nCOPY a.txt b.md /x',
    files: tree,
  },
  { name: 'a pattern', dockerfile: 'FROM scratch\nCOPY *.txt /t/', files: tree },
  { name: 'a pattern that a folder matches', dockerfile: 'FROM scratch\nCOPY d* /t/', files: tree },
  { name: 'a pattern in a folder', dockerfile: 'FROM scratch\nCOPY dir/*.[tm][xd]* /t/', files: tree },
  { name: 'a pattern over folders', dockerfile: 'FROM scratch\nCOPY d?r/s*/*.txt /t/', files: tree },
  {
    name: 'a pattern that matches nothing',
    dockerfile: 'FROM scratch\nCOPY a.txt /\nCOPY *.none /t/',
    files: tree,
  },
  {
    name: 'a name with a bracket',
    dockerfile: 'FROM scratch\nCOPY arr[[]0].txt /t/',
    files: { 'arr[0].txt': 'x', 'arr0.txt': 'y' },
  },
  {
    name: 'names with spaces, in JSON',
    dockerfile: 'FROM scratch\nCOPY ["a file", "b file", "/a folder/"]',
    files: { 'a file': '1', 'b file': '2' },
  },
  {
    name: 'a link to a file is followed',
    dockerfile: 'FROM scratch\nCOPY tofile /x/\nCOPY tofile /named',
    files: tree,
  },
  {
    name: 'a link to a folder is followed',
    dockerfile: 'FROM scratch\nCOPY todir /x/\nCOPY todir/sub /y',
    files: tree,
  },
  { name: 'links found by a pattern are followed', dockerfile: 'FROM scratch\nCOPY to* /x/', files: tree },
  {
    name: 'a link out of the context stays inside',
    dockerfile: 'FROM scratch\nCOPY out /x\nCOPY up /y',
    files: { out: { link: '/sub/inner' }, up: { link: '../../sub/inner' }, 'sub/inner': 'in' },
  },
  { name: '--chown with numbers', dockerfile: 'FROM scratch\nCOPY --chown=1000:2000 dir /d/e', files: tree },
  { name: '--chown with one number', dockerfile: 'FROM scratch\nCOPY --chown=1000 a.txt /d/', files: tree },
  { name: '--chown with a group only', dockerfile: 'FROM scratch\nCOPY --chown=:33 a.txt /d/', files: tree },
  { name: '--chown by name', dockerfile: 'FROM @debian@\nCOPY --chown=nobody dir /d/e', files: tree },
  {
    name: '--chown by name and group',
    dockerfile: 'FROM @debian@\nCOPY --chown=nobody:daemon a.txt /d/',
    files: tree,
  },
  {
    name: '--chown with a name that nobody has',
    dockerfile: 'FROM @debian@\nCOPY --chown=ghost:ghosts a.txt /d/',
    files: tree,
  },
  {
    name: '--chown by name of a passwd that was copied before',
    dockerfile: 'FROM scratch\nCOPY passwd group /etc/\nCOPY --chown=app:web a.txt /d/',
    files: { ...tree, passwd: '# users\nroot:x:0:0::/:\napp:x:4711:4712::/:\n', group: 'web:x:4713:\n' },
  },
  {
    name: '--chmod, octal',
    dockerfile: 'FROM scratch\nCOPY --chmod=0750 dir /d/e\nCOPY --chmod=4755 a.txt /x/y/a',
    files: tree,
  },
  {
    name: '--chmod, symbolic',
    dockerfile: 'FROM scratch\nCOPY --chmod=u=rwX,go=rX dir /d/e\nCOPY --chmod=+x a.txt secret.key /x/',
    files: tree,
  },
  {
    name: '--chmod, symbolic, odd',
    dockerfile: 'FROM scratch\nCOPY --chmod=g=u,o-rwx,u+s,a-w dir /d\nCOPY --chmod=go=u-w,+t run.sh /r',
    files: tree,
  },
  {
    name: '--chmod and --chown together',
    dockerfile: 'FROM scratch\nCOPY --chmod=700 --chown=5:6 dir /d/e/f/',
    files: tree,
  },
  {
    name: '--exclude',
    dockerfile: 'FROM scratch\nCOPY --exclude=*.md --exclude=**/*.go dir /d',
    files: tree,
  },
  {
    name: '--exclude with a way back',
    dockerfile: 'FROM scratch\nCOPY --exclude=sub --exclude=!sub/three.txt dir /d',
    files: tree,
  },
  {
    name: '--exclude of what a pattern names',
    dockerfile: 'FROM scratch\nCOPY --exclude=*.md *.* /d/',
    files: tree,
  },
  {
    name: '--parents',
    notByEngine: 'its Dockerfile syntax has no --parents',
    dockerfile: 'FROM scratch\nCOPY --parents dir/sub/three.txt dir/one.txt a.txt /p/',
    files: tree,
  },
  {
    name: '--parents with a pattern',
    notByEngine: 'its Dockerfile syntax has no --parents',
    dockerfile: 'FROM scratch\nCOPY --parents dir/**/*.txt /p/',
    files: tree,
  },
  {
    name: '--parents with a pivot',
    notByEngine: 'its Dockerfile syntax has no --parents',
    dockerfile: 'FROM scratch\nCOPY --parents ./dir/./sub/deep /p/',
    files: tree,
  },
  {
    name: '--parents over folders with modes',
    notByEngine: 'its Dockerfile syntax has no --parents',
    dockerfile: 'FROM scratch\nCOPY --parents --chown=9:9 x/y/file /p/',
    files: { 'x/y/file': 'f', x: { directory: 0o711 }, 'x/y': { directory: 0o2775 } },
  },
  {
    name: '--link',
    dockerfile: 'FROM @debian@\nCOPY --link a.txt /opt/app/a\nCOPY --link --chown=7:8 dir /opt/app/d',
    files: tree,
    notByEngine: 'its graph driver makes no layers for --link',
  },
  {
    name: '--link onto a symbolic link of the base',
    dockerfile: 'FROM @debian@\nCOPY --link a.txt /bin/a',
    files: tree,
    notByEngine: 'its graph driver makes no layers for --link',
  },
  {
    name: '--link replaces folders and files',
    dockerfile: 'FROM scratch\nCOPY dir /x\nCOPY --link a.txt /x/sub\nCOPY --link dir /x/one.txt/',
    files: tree,
    notByEngine: 'its graph driver makes no layers for --link',
  },
  {
    name: '--link with --chmod is as without it',
    dockerfile: 'FROM @debian@\nCOPY --link --chmod=600 a.txt /bin/a',
    files: tree,
  },
  {
    name: 'through a symbolic link of the base',
    dockerfile: 'FROM @debian@\nCOPY a.txt /bin/a\nCOPY dir /lib/d/',
    files: tree,
  },
  {
    name: 'into a folder of the base with its own mode',
    dockerfile: 'FROM @debian@\nCOPY a.txt /tmp/\nCOPY a.txt /tmp/x/',
    files: tree,
  },
  { name: 'over a file of the base', dockerfile: 'FROM @debian@\nCOPY a.txt /etc/passwd', files: tree },
  {
    name: 'onto distroless',
    dockerfile: 'FROM @distroless@\nWORKDIR /home/nonroot/x\nCOPY run.sh /app\nENTRYPOINT ["/app"]',
    files: tree,
  },
  {
    name: 'onto alpine',
    dockerfile: 'FROM @alpine@\nRUN true\nCOPY a.txt /',
    files: tree,
    leftToBuilder: /RUN needs a container/,
  },
  {
    name: 'a link that an earlier step brought',
    dockerfile: 'FROM scratch\nCOPY l /\nCOPY a.txt /l/x\nCOPY a.txt /f',
    files: { 'l/there': { link: 'real' }, 'l/real': { directory: 0o750 }, 'a.txt': 'a' },
  },
  {
    name: 'a file through a link to a folder',
    dockerfile: 'FROM scratch\nCOPY l /\nCOPY a.txt /there/\nCOPY a.txt /there/b',
    files: { 'l/there': { link: 'deep/real' }, 'l/deep/real': { directory: 0o750 }, 'a.txt': 'a' },
  },
  {
    name: 'a file onto a link to a file',
    dockerfile: 'FROM scratch\nCOPY l /\nCOPY a.txt /link',
    files: { 'l/link': { link: 'file' }, 'l/file': 'old', 'a.txt': 'new' },
  },
  {
    name: 'a file onto a dangling link',
    dockerfile: 'FROM scratch\nCOPY l /\nCOPY a.txt /link',
    files: { 'l/link': { link: 'not/yet' }, 'a.txt': 'new' },
  },
  {
    name: 'a folder over a link to a file',
    dockerfile: 'FROM scratch\nCOPY l /\nCOPY m /',
    files: { 'l/x/link': { link: 'file' }, 'l/x/file': 'old', 'm/x/link': 'new' },
  },
  {
    name: 'folders merge, the later metadata win',
    dockerfile: 'FROM scratch\nCOPY one /\nCOPY --chown=3:3 two /',
    files: { 'one/d/a': '1', 'one/d': { directory: 0o700 }, 'two/d/b': '2', 'two/d': { directory: 0o775 } },
  },
  {
    name: 'the metadata of a top folder that is there stay',
    dockerfile: 'FROM scratch\nCOPY one /x\nCOPY --chmod=777 one /x',
    files: { 'one/a': '1', one: { directory: 0o700 } },
  },
  {
    name: 'hard links',
    dockerfile: 'FROM scratch\nCOPY h /h\nCOPY h/a /a\nCOPY h/a h/b /both/',
    files: { 'h/a': 'same', 'h/b': { hardlink: 'h/a' }, 'h/z/c': { hardlink: 'h/a' } },
  },
  {
    name: 'sparse and empty files',
    dockerfile: 'FROM scratch\nCOPY . /',
    files: { sparse: { sparse: 5_000_000 }, empty: '' },
  },
  { name: 'a large file', dockerfile: 'FROM scratch\nCOPY . /', files: { large: 'x'.repeat(9_000_001) } },
  {
    name: 'names that are not UTF-8, and long ones',
    notByEngine: 'it refuses names that are not UTF-8',
    dockerfile: 'FROM scratch\nCOPY . /',
    files: { 'bytes:caf\u00e9': 'latin1', café: 'utf-8', [`${'long'.repeat(30)}/${'name'.repeat(40)}`]: 'l' },
  },
  {
    name: 'set-id and odd modes',
    dockerfile: 'FROM scratch\nCOPY . /m',
    files: {
      suid: { text: 's', mode: 0o4755 },
      none: { text: 'n', mode: 0o000 },
      sgid: { directory: 0o2750 },
    },
  },
  {
    name: '.dockerignore',
    dockerfile: 'FROM scratch\nCOPY . /',
    files: { ...tree, '.dockerignore': '*.md\n**/sub\n!dir/sub/deep\n.dockerignore\n' },
  },
  {
    name: '.dockerignore: nothing but',
    dockerfile: 'FROM scratch\nCOPY . /',
    files: { ...tree, '.dockerignore': '*\n!dir/sub/three.txt\n!run.sh\n' },
  },
  {
    name: 'Dockerfile.dockerignore wins',
    dockerfile: 'FROM scratch\nCOPY . /',
    files: { ...tree, '.dockerignore': '*\n', 'Dockerfile.dockerignore': 'dir\nDockerfile*\n' },
  },
  {
    name: 'from another stage',
    dockerfile:
      'FROM scratch AS one\nCOPY --chown=11:12 dir /out\nFROM scratch\nCOPY --from=one /out /in\nCOPY --from=0 /out/sub/*.txt /t/',
    files: tree,
  },
  {
    name: 'from another stage, by way of its links',
    dockerfile:
      'FROM scratch AS one\nCOPY dir /out\nFROM scratch\nCOPY --from=one /out/link /in/\nCOPY --from=one /out /all',
    files: tree,
  },
  {
    name: 'a stage on a stage',
    dockerfile:
      'FROM @debian@ AS base\nCOPY a.txt /bin/a\nENV X=1\nFROM base AS more\nCOPY b.md /bin/b\nFROM more\nCOPY --from=base /bin/a /copied',
    files: tree,
  },
  {
    name: 'from an image',
    dockerfile:
      'FROM scratch\nCOPY --from=@debian@ /etc/passwd /etc/group /etc/\nCOPY --from=@distroless@ /etc/ /d/',
    files: tree,
  },
  {
    name: 'from a named context',
    dockerfile: 'FROM scratch\nCOPY --from=other . /o\nCOPY a.txt /',
    files: tree,
    contexts: { other: { x: '1', 'y/z': '2', '.dockerignore': 'y\n' } },
  },
  {
    name: 'a stage that is handed in',
    dockerfile: 'FROM golang AS build\nRUN go build\nFROM scratch\nCOPY --from=build /out/app /app',
    files: tree,
    contexts: { build: { 'out/app': { text: 'binary', mode: 0o755 } } },
  },
  {
    name: 'heredocs',
    dockerfile:
      'FROM scratch\nENV N=1\nCOPY <<a.txt <<"b.txt" /d/\nx$N\na.txt\ny$N\nb.txt\nCOPY --chmod=755 --chown=2:3 <<-EOF /run.sh\n\t#!/bin/sh\n\techo hi\nEOF',
  },
  {
    name: 'WORKDIR makes folders',
    dockerfile: 'FROM scratch\nWORKDIR /a/b\nWORKDIR c\nWORKDIR /a/b\nWORKDIR /',
  },
  {
    name: 'WORKDIR belongs to the USER',
    dockerfile: 'FROM @debian@\nUSER nobody\nWORKDIR /srv/app\nUSER 12:13\nWORKDIR /srv/app/x\nCOPY a.txt .',
    files: tree,
  },
  {
    name: 'WORKDIR through a link',
    dockerfile: 'FROM @debian@\nWORKDIR /bin/tools\nCOPY a.txt ./',
    files: tree,
  },
  {
    name: 'ADD unpacks a tar',
    dockerfile: 'FROM scratch\nADD t.tar /x/',
    files: {
      't.tar': {
        archive: {
          a: '1',
          'd/b': { text: '2', mode: 0o750 },
          'd/l': { link: '../a' },
          d: { directory: 0o711 },
          h: { hardlink: 'a' },
        },
        tar: ['-c', '--owner=:21', '--group=:22'],
      },
    },
  },
  {
    name: 'ADD makes folders that an archive does not name',
    dockerfile: 'FROM scratch\nADD --chown=7:8 t.tar /x/y/\nADD t.tar /z',
    files: { 't.tar': { archive: { 'd/e/b': '1', d: { directory: 0o700 } }, members: ['./d/e/b'] } },
  },
  {
    name: 'ADD unpacks gzip, and leaves what is no archive',
    dockerfile: 'FROM scratch\nADD t.tgz plain.gz text.txt /x/',
    files: {
      't.tgz': { archive: { a: '1', 'd/e/b': '2' }, tar: ['-c', '-z'] },
      'plain.gz': 'no gzip at all',
      'text.txt': 't',
    },
  },
  {
    name: 'ADD unpacks zstd',
    dockerfile: 'FROM scratch\nADD t.tar.zst /x',
    files: { 't.tar.zst': { archive: { a: '1' }, tar: ['-c', '--zstd'] } },
  },
  {
    name: 'ADD with owner and mode',
    dockerfile: 'FROM scratch\nADD --chown=4:5 --chmod=600 t.tar a.txt /x/',
    files: { 't.tar': { archive: { a: '1', 'd/b': '2' } }, 'a.txt': 'a' },
  },
  {
    name: 'ADD replaces a folder by a file and a file by a folder',
    dockerfile: 'FROM scratch\nCOPY old /\nADD t.tar /',
    files: {
      'old/d/x': '1',
      'old/f': '2',
      'old/keep/k': '3',
      't.tar': { archive: { d: 'now a file', 'f/y': 'now in a folder', 'keep/n': '4' } },
    },
  },
  {
    name: 'ADD through links',
    dockerfile: 'FROM @debian@\nADD t.tar /',
    files: { 't.tar': { archive: { 'bin/tool': 't', 'usr/local/x': 'x' } } },
  },
  {
    name: 'ADD --unpack=false',
    dockerfile: 'FROM scratch\nADD --unpack=false t.tar /x/',
    files: { 't.tar': { archive: { a: '1' } } },
  },
  {
    name: 'every instruction that changes the configuration alone',
    notByEngine: 'it wrote another history for HEALTHCHECK',
    dockerfile:
      'ARG V=1\nFROM @debian@\nARG V\nENV A=1 B="two words" PATH=/x:$PATH\nLABEL a=b c="d e" v=$V\nEXPOSE 80 443/tcp 53/udp 8000-8002\nVOLUME /data ["/more"]\nVOLUME ["/x", "/y"]\nUSER 65532:65532\nWORKDIR /w\nSTOPSIGNAL SIGQUIT\nHEALTHCHECK --interval=5s --timeout=2s --start-period=1s --retries=4 CMD ["/app", "health"]\nSHELL ["/bin/bash", "-c"]\nONBUILD LABEL from=trigger\nMAINTAINER somebody\nCMD echo hi\nENTRYPOINT ["/app"]\nCMD ["serve"]',
    args: { V: '2' },
  },
  {
    name: 'shell forms and HEALTHCHECK NONE',
    notByEngine: 'it wrote another history for HEALTHCHECK',
    dockerfile: 'FROM @alpine@\nENTRYPOINT exec /app --x\nCMD run\nHEALTHCHECK NONE\nCOPY a.txt /',
    files: tree,
  },
  {
    name: 'arguments in every place',
    dockerfile:
      'ARG BASE=@debian@\nFROM $BASE\nARG DIR=/opt NAME=a WHO=3:4\nENV E=${DIR}/env\nCOPY --chown=$WHO ${NAME}.txt ${E}/\nWORKDIR $DIR/$NAME\nCOPY ["$NAME.txt", "."]\nUSER ${WHO%:*}',
    files: tree,
    args: { NAME: 'a' },
  },
  {
    name: 'platform arguments',
    dockerfile:
      'FROM --platform=$BUILDPLATFORM scratch AS one\nARG TARGETOS TARGETARCH\nCOPY a.txt /$TARGETOS-$TARGETARCH\nFROM scratch\nCOPY --from=one / /',
    files: tree,
  },
  {
    name: 'a target that is not the last stage',
    dockerfile: 'FROM scratch AS one\nCOPY a.txt /\nLABEL x=y\nFROM scratch\nCOPY b.md /',
    files: tree,
    target: 'one',
  },
  {
    name: 'no files at all',
    dockerfile: 'FROM scratch\nENV A=b\nCMD ["/x"]',
    notByEngine: 'it cannot save an image without layers',
  },
  // What is not modelled
  {
    name: 'a named pipe',
    dockerfile: 'FROM scratch\nCOPY p /',
    files: { p: { fifo: true } },
    leftToBuilder: /fifo is copied/,
  },
  {
    name: 'a name that means a deletion in a layer',
    dockerfile: 'FROM scratch\nCOPY . /d/',
    files: { 'x/.wh.y': 'w' },
    leftToBuilder: /means a deletion/,
  },
  {
    name: 'ADD of an xz archive',
    dockerfile: 'FROM scratch\nADD t.tar.xz /',
    files: { 't.tar.xz': { archive: { a: '1' }, tar: ['-c', '-J'] } },
    leftToBuilder: /xz archive/,
  },
  {
    name: 'ADD of a bzip2 archive',
    dockerfile: 'FROM scratch\nADD t.tar.bz2 /',
    files: { 't.tar.bz2': { archive: { a: '1' }, tar: ['-c', '-j'] } },
    leftToBuilder: /bzip2 archive/,
  },
  {
    name: 'a final stage on a stage with RUN',
    dockerfile: 'FROM @alpine@ AS one\nRUN echo hi > /hi\nFROM one\nCOPY a.txt /',
    files: tree,
    leftToBuilder: /starts from stage 0/,
  },
  // What both refuse
  {
    name: 'a file that is not there',
    dockerfile: 'FROM scratch\nCOPY nothere.txt /',
    files: tree,
    refused: /COPY nothere.txt \/: .*\/nothere.txt is not there/,
  },
  {
    name: 'a file that is ignored',
    dockerfile: 'FROM scratch\nCOPY a.txt /',
    files: { ...tree, '.dockerignore': 'a.txt\n' },
    refused: /a.txt is not there/,
  },
  {
    name: 'a file onto a folder',
    dockerfile: 'FROM scratch\nCOPY one /\nCOPY two /',
    files: { 'one/x/y': '1', 'two/x': '2' },
    refused: /is a directory in the image/,
  },
  {
    name: 'a folder onto a file',
    dockerfile: 'FROM scratch\nCOPY one /\nCOPY two /',
    files: { 'one/x': '1', 'two/x/y': '2' },
    refused: /is a file in the image/,
  },
  {
    name: 'a folder onto a link to a folder',
    dockerfile: 'FROM @debian@\nCOPY root /',
    files: { 'root/bin/x': '1' },
    refused: /symbolic link to usr\/bin/,
  },
  {
    name: 'below a file',
    dockerfile: 'FROM scratch\nCOPY a.txt /x\nCOPY a.txt /x/y/',
    files: tree,
    refused: /nothing can lie below it/,
  },
  {
    name: '--chown by name on scratch',
    dockerfile: 'FROM scratch\nCOPY --chown=app a.txt /',
    files: tree,
    refused: /no file system with an \/etc\/passwd/,
  },
  {
    name: 'links in a circle',
    dockerfile: 'FROM scratch\nCOPY round /',
    files: { round: { link: 'and' }, and: { link: 'round' } },
    refused: /form a loop|is not there/,
  },
  {
    name: '--parents of a file that is not there',
    dockerfile: 'FROM scratch\nCOPY --parents dir/none /',
    files: tree,
    refused: /dir\/none is not there/,
  },
  {
    name: 'from a stage without the file',
    dockerfile: 'FROM scratch AS one\nCOPY a.txt /\nFROM scratch\nCOPY --from=one /b /',
    files: tree,
    refused: /\/b is not there/,
  },
  {
    name: 'a bad --chmod',
    dockerfile: 'FROM scratch\nCOPY --chmod=99 a.txt /',
    files: tree,
    refused: /chmod/,
  },
];
