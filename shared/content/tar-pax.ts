import { HeaderFault } from './tar-header.ts';

/** Extended header records by keyword (POSIX.1-2024, pax, "pax Extended Header"). Values are bytes: names need not be UTF-8. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

/** Records as the body of an extended header, sorted by keyword. */
export function formatRecords(records: PaxRecords): Buffer {
  return Buffer.concat([...records.keys()].sort().map((keyword) => record(keyword, records.get(keyword)!)));
}

// "%d %s=%s\n": the number counts the whole record, its own digits too.
function record(keyword: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${keyword}=`), value, Buffer.from('\n')]);
  let length = rest.length + String(rest.length).length;
  length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/**
 * The records in the body of an extended header. The offsets and lengths of GNU's sparse format 0.0, which repeats keywords, are
 * joined to the map of format 0.1.
 */
export function parseRecords(body: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const sparse: string[] = [];
  for (let at = 0; at < body.length; ) {
    const { keyword, value, end } = recordAt(body, at);
    if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') sparse.push(value.toString());
    else records.set(keyword, value);
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', Buffer.from(sparse.join(',')));
  return records;
}

function recordAt(body: Buffer, at: number): { keyword: string; value: Buffer; end: number } {
  const space = body.indexOf(0x20, at);
  const digits = space === -1 ? '' : body.toString('latin1', at, space);
  const end = at + Number(digits);
  const equals = body.indexOf(0x3d, space + 1);
  const whole = /^\d{1,9}$/.test(digits) && end <= body.length && body[end - 1] === 0x0a;
  if (!whole || equals <= space + 1 || equals >= end)
    throw new HeaderFault('an extended header record is malformed');
  return {
    keyword: body.toString('utf8', space + 1, equals),
    value: Buffer.from(body.subarray(equals + 1, end - 1)),
    end,
  };
}

/** The whole number in a record; fractions of a second are cut towards the past. */
export function recordNumber(keyword: string, value: Buffer): number {
  const text = value.toString('latin1');
  const number = /^-?\d+(\.\d*)?$/.test(text) ? Math.floor(Number(text)) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new HeaderFault(`the record ${keyword}="${text}" is no number`);
  return number;
}
