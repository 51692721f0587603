import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** Writes a module proxy (golang.org/ref/mod, "GOPROXY protocol") with one version of one module, for GOPROXY=file://. */
export function writeModuleProxy(
  folder: string,
  path: string,
  version: string,
  files: Readonly<Record<string, string>>,
): void {
  const place = join(folder, path, '@v');
  mkdirSync(place, { recursive: true });
  const gomod = `module ${path}\n\ngo 1.26\n`;
  writeFileSync(join(place, 'list'), `${version}\n`);
  writeFileSync(
    join(place, `${version}.info`),
    JSON.stringify({ Version: version, Time: '2026-01-01T00:00:00Z' }),
  );
  writeFileSync(join(place, `${version}.mod`), gomod);
  const named = Object.entries({ 'go.mod': gomod, ...files });
  const members = named.map(([name, text]) => [`${path}@${version}/${name}`, Buffer.from(text)] as const);
  writeFileSync(join(place, `${version}.zip`), zip(members));
}

/** A zip archive without compression (APPNOTE.TXT 4.3). */
function zip(members: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of members) {
    const bytes = Buffer.from(name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt32LE(crc32(content), 10);
    shared.writeUInt32LE(content.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(bytes.length, 22);
    parts.push(Buffer.from('PK\x03\x04'), shared, bytes, content);
    const more = Buffer.alloc(14);
    more.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), shared, more, bytes);
    offset += 30 + bytes.length + content.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, list, Buffer.from('PK\x05\x06'), end]);
}
