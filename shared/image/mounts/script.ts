/** Where the appended stages have a mount, the seed that it started from, and what they hand out. */
export const ROOT = '/.slipway';
export const places = {
  mount: (at: number) => `${ROOT}/mount/${at}`,
  seed: (at: number) => `${ROOT}/seed/${at}`,
  out: `${ROOT}/out`,
} as const;

/** The file whose time is that of all that a seed holds: what is newer was used or made since. */
export const MARKER = 'slipway/marker';

/**
 * What the scripts need beside a POSIX shell: cp, find, grep, awk, sort, xargs, touch, stat, in the form that GNU and busybox have in
 * common. They run as root in the user's own stage.
 *
 * `choose` writes the names that are kept to $W/keep and says of what kind the mount is:
 * - objects of Go: those that were used, for Go sets the time of what it uses (cmd/go/internal/cache, used)
 * - modules of Go: the zips of modules that were unpacked, and what is known of all versions. A seed holds no unpacked module, so what
 *   is unpacked is what this run read. Without .ziphash, so that Go compares each zip with go.sum before it believes a byte of it.
 * - anything else: all of it
 */
const CHOOSE = `
set -eu
export LC_ALL=C TZ=UTC0
umask 022
choose() {
  cd "$M"
  if [ -f README ] && grep -q 'Go build system' README; then kind=objects
    if [ -e "$S/${MARKER}" ]; then find . -type f -name '*-[ad]' -newer "$S/${MARKER}" >"$W/keep"
    else find . -type f -name '*-[ad]' >"$W/keep"; fi
  elif [ -d cache/download ]; then kind=modules
    find cache/download -type f \\( -name '*.mod' -o -name '*.info' \\) >"$W/keep"
    [ ! -d cache/download/sumdb ] || find cache/download/sumdb -type f >>"$W/keep"
    find cache/download -type f -name '*.zip' | while read -r zip; do
      name=\${zip#cache/download/} version=\${zip##*/@v/}
      [ ! -d "\${name%%/@v/*}@\${version%.zip}" ] || printf '%s\\n' "$zip"
    done >>"$W/keep"
  else kind=other
    find . ! -type d >"$W/keep"
  fi
}
`;

/** Tells of each mount what would be kept: \`kind files bytes newFiles newBytes seedFiles seedBytes allFiles allBytes\`. */
export function surveyScript(mounts: readonly number[]): string {
  const each = mounts.map(
    (at) => `M=${places.mount(at)} S=${places.seed(at)} W=/tmp/slipway-${at}; survey >${places.out}/${at}`,
  );
  return `${CHOOSE}
sum() { awk '{ bytes += $5; files++ } END { printf " %d %.0f", files, bytes }'; }
sizes() { if [ -s "$1" ]; then tr '\\n' '\\0' <"$1" | xargs -0 ls -ldn; fi | sum; }
survey() {
  rm -rf "$W"; mkdir -p "$W"
  choose
  if [ "$kind" = other ] && [ -e "$S/${MARKER}" ]; then
    find . ! -type d -newer "$S/${MARKER}" >"$W/new"
    while read -r f; do [ -e "$S/mount/$f" ] || printf '%s\\n' "$f"; done <"$W/keep" >>"$W/new"
    sort -u "$W/new" >"$W/sorted"; mv "$W/sorted" "$W/new"
  else while read -r f; do [ -e "$S/mount/$f" ] || printf '%s\\n' "$f"; done <"$W/keep" >"$W/new"; fi
  if [ -d "$S/mount" ]; then (cd "$S/mount" && find . ! -type d) >"$W/seed"; else : >"$W/seed"; fi
  find . ! -type d >"$W/all"
  printf %s "$kind"
  sizes "$W/keep"; sizes "$W/new"
  if [ -d "$S/mount" ]; then cd "$S/mount"; fi; sizes "$W/seed"
  cd "$M"; sizes "$W/all"
  rm -rf "$W"
}
mkdir -p ${places.out}
${each.join('\n')}
`;
}

/** What is taken of a mount. */
export interface Gathering {
  readonly at: number;
  readonly kind: 'objects' | 'modules' | 'other';
  /** Only what the seed lacks, to be laid over it. */
  readonly delta: boolean;
  /** Into how many folders, 0 and up: a power of two up to 16. */
  readonly parts: number;
  /** The time that files of objects get, in seconds since 1970. */
  readonly time: number;
}

/** Copies what is kept of a mount to \`out/<part>/mount\`, with owners and modes, and dates it. */
export function gatherScript(gathering: Gathering): string {
  const { at, kind, delta, parts, time } = gathering;
  const whole = kind === 'objects' && !delta ? wholeObjects(parts) : kind === 'other' ? WHOLE : LISTED;
  return `${CHOOSE}
M=${places.mount(at)} S=${places.seed(at)} W=/tmp/slipway-gather O=${places.out}
rm -rf "$W"; mkdir -p "$W"
part() { mkdir -p "$O/$1/mount" && like "$M" "$O/$1/mount"; }
like() { chown "$(stat -c %u:%g "$1")" "$2"; chmod "$(stat -c %a "$1")" "$2"; }
choose
${delta ? `while read -r f; do [ -e "$S/mount/$f" ] || printf '%s\\n' "$f"; done <"$W/keep" >"$W/new"; mv "$W/new" "$W/keep"` : ''}
${whole}
mkdir -p "$O/0/${MARKER.split('/')[0]}"
touch -t ${touchTime(time)} "$O/0/${MARKER}"
${kind === 'objects' ? `find "$O" -type f -exec touch -r "$O/0/${MARKER}" {} +` : ''}
rm -rf "$W"
`;
}

const WHOLE = `part 0; cp -a "$M/." "$O/0/mount/"; like "$M" "$O/0/mount"`;

/** A few hundred files, by their names. */
const LISTED = `part 0
folder() {
  [ ! -d "$O/0/mount/$1" ] || return 0
  case $1 in */*) folder "\${1%/*}";; esac
  mkdir "$O/0/mount/$1"
  [ "$foreign" = "" ] || like "$M/$1" "$O/0/mount/$1"
}
foreign=$(find "$M" -type d ! -user 0 2>/dev/null | head -n 1)
while read -r f; do
  f=\${f#./}; folder "\${f%/*}"; cp -p "$M/$f" "$O/0/mount/$f"
done <"$W/keep"`;

/** Thousands of files: all are copied folder by folder, and what is not kept is removed from the copy. */
function wholeObjects(parts: number): string {
  const digits = '0123456789abcdef';
  const size = digits.length / parts;
  const copies = Array.from({ length: parts }, (_, part) => {
    const set = digits.slice(part * size, (part + 1) * size);
    return `part ${part}; cp -a "$M/"[${set}]? "$O/${part}/mount/"`;
  });
  return `${copies.join('\n')}
cp -p "$M/README" "$O/0/mount/"
find "$O" -type f ! -name '*-[ad]' ! -name README -exec rm -f {} +
[ ! -e "$S/${MARKER}" ] || find "$O" -type f -name '*-[ad]' ! -newer "$S/${MARKER}" -exec rm -f {} +`;
}

/** The form of POSIX touch, in UTC. */
function touchTime(seconds: number): string {
  const [date, time] = new Date(seconds * 1000).toISOString().slice(0, 19).split('T') as [string, string];
  const [hours, minutes, rest] = time.split(':');
  return `${date.replaceAll('-', '')}${hours}${minutes}.${rest}`;
}

/** The named context that has this run's own files: scripts, and the note of trim.ts. */
export const OWN_CONTEXT = 'slipway-mounts';

/** An instruction that runs a script of the own context in exec form, so that neither SHELL nor variables touch it. */
export function runInstruction(flags: readonly string[], script: string): string {
  const own = `--mount=type=bind,from=${OWN_CONTEXT},target=${ROOT}/scripts`;
  return ['RUN', ...flags, own, JSON.stringify(['/bin/sh', `${ROOT}/scripts/${script}`])].join(' ');
}
