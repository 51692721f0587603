/** A member of an archive as an attacker writes it: nothing of it has to make sense. */
export interface PlantedMember {
  readonly name: string;
  /** Of the ustar format: 0 file, 1 hard link, 2 symbolic link, 3 and 4 devices, 5 directory, 6 pipe, x and g pax headers, L GNU name. */
  readonly type?: string;
  readonly content?: string;
  /** Bytes that the header claims; default: those of the content. */
  readonly size?: number;
  readonly target?: string;
}

/** Writes a tar archive by hand (POSIX ustar), because a library would refuse most of it. */
export function plantedTar(members: readonly PlantedMember[]): Buffer {
  const blocks = members.flatMap(({ content = '', ...member }) => {
    const bytes = Buffer.from(content);
    const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
    return [header({ size: bytes.length, ...member }), bytes, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function header({ name, type = '0', size = 0, target = '' }: Omit<PlantedMember, 'content'>): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write('0000777\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    // Base 256, as GNU tar writes sizes that eleven octal digits cannot hold.
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000\0', 136);
  block.write(' '.repeat(8), 148);
  block.write(type, 156);
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A record of a pax header: its length, which counts itself, a name and a value. */
export function pax(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

export interface PlantedArchive {
  readonly members: readonly PlantedMember[];
  /** What the log has to say of it. */
  readonly told: RegExp;
}

/** Archives that no honest run has stored. `outside` is a path that none of them may come to. */
export function plantedArchives(outside: string): Readonly<Record<string, PlantedArchive>> {
  const up = `${'../'.repeat(12)}${outside.slice(1)}`;
  const file = { name: 'one', content: 'planted\n' };
  return {
    'a name that leads up': {
      told: /no plain path inside of a stage/,
      members: [file, { name: up, content: 'evil' }],
    },
    'a name that leads up after a folder': {
      told: /no plain path inside of a stage/,
      members: [file, { name: `a/b/${up}`, content: 'evil' }],
    },
    'an absolute name': {
      told: /no plain path inside of a stage/,
      members: [file, { name: outside, content: 'evil' }],
    },
    'an absolute name in a pax header': {
      told: /no plain path inside of a stage/,
      members: [
        file,
        { name: 'pax', type: 'x', content: pax('path', outside) },
        { name: 'harmless', content: 'evil' },
      ],
    },
    'a name that leads up in a GNU header': {
      told: /no plain path inside of a stage/,
      members: [
        file,
        { name: '././@LongLink', type: 'L', content: `${up}\0` },
        { name: 'harmless', content: 'evil' },
      ],
    },
    'a global pax header with a path': {
      told: /no plain path inside of a stage/,
      members: [
        { name: 'pax', type: 'g', content: pax('path', outside) },
        { name: 'harmless', content: 'evil' },
      ],
    },
    'a file below a link that leads out': {
      told: /lies below a symlink/,
      members: [
        { name: 'way', type: '2', target: outside.slice(0, outside.lastIndexOf('/')) },
        { name: `way/${outside.slice(outside.lastIndexOf('/') + 1)}`, content: 'evil' },
      ],
    },
    'a file in place of a link that leads out': {
      told: /"one" twice/,
      members: [
        { name: 'one', type: '2', target: outside },
        { name: 'one', content: 'evil' },
      ],
    },
    'a hard link to a file of this machine': {
      told: /hard link to "\/etc\/passwd", which is no file of it/,
      members: [file, { name: 'passwd', type: '1', target: '/etc/passwd' }],
    },
    'a hard link that leads up': {
      told: /which is no file of it/,
      members: [file, { name: 'passwd', type: '1', target: `${'../'.repeat(12)}etc/passwd` }],
    },
    'a character device': { told: /character device/, members: [file, { name: 'null', type: '3' }] },
    'a block device': { told: /block device/, members: [file, { name: 'disk', type: '4' }] },
    'a pipe': { told: /fifo/, members: [file, { name: 'pipe', type: '6' }] },
    'a name that comes twice': { told: /"one" twice/, members: [file, { name: 'one', content: 'evil' }] },
    'a folder in place of a file': {
      told: /lies below a file/,
      members: [file, { name: 'one/evil', content: 'evil' }],
    },
    'a file of many terabytes': {
      told: /more than the \d+ bytes/,
      members: [{ name: 'one', size: 2 ** 44, content: 'evil' }],
    },
    'more bytes than there may be': {
      told: /cut short|more than the \d+ bytes/,
      members: [
        { name: 'one', size: 6 * 2 ** 30, content: 'evil' },
        { name: 'two', size: 6 * 2 ** 30, content: 'evil' },
      ],
    },
    'an end in the middle of a file': {
      told: /cut short/,
      members: [{ name: 'one', size: 5_000, content: 'evil' }],
    },
    'a name without letters': { told: /no plain path/, members: [{ name: '', content: 'evil' }] },
    'another result than the key’s': {
      told: /other files than it says/,
      members: [
        { name: 'one', content: 'evil\n' },
        { name: 'number-one', content: 'evil\n' },
      ],
    },
    nothing: { told: /other files than it says/, members: [] },
  };
}
