import { isIP } from 'node:net';
import { Failure } from '../host/index.ts';

/** The ports of one EXPOSE argument, `[ip:][host:]port[-port][/protocol]`, each as `80/tcp`. */
export function parsePorts(text: string): string[] {
  const { ip, host, container } = splitParts(text);
  const slash = container.indexOf('/');
  const protocol = slash < 0 ? 'tcp' : container.slice(slash + 1).toLowerCase() || 'tcp';
  const range = parseRange(text, slash < 0 ? container : container.slice(0, slash));
  if (!['tcp', 'udp', 'sctp'].includes(protocol))
    throw new Failure(`EXPOSE ${text} has the protocol "${protocol}"; accepted are tcp, udp and sctp.`);
  checkAddress(text, ip);
  if (host !== '') checkHostPorts(text, range, parseRange(text, host));
  const count = range.end - range.start + 1;
  return Array.from({ length: count }, (_, at) => `${range.start + at}/${protocol}`);
}

function splitParts(text: string): { ip: string; host: string; container: string } {
  const parts = text.split(':');
  return { container: parts.pop()!, host: parts.pop() ?? '', ip: parts.join(':') };
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function parseRange(text: string, range: string): Range {
  const dash = range.indexOf('-');
  const start = parsePort(text, dash < 0 ? range : range.slice(0, dash));
  const end = dash < 0 ? start : parsePort(text, range.slice(dash + 1));
  if (end < start) throw new Failure(`EXPOSE ${text} has a range that ends before it starts.`);
  return { start, end };
}

function parsePort(text: string, port: string): number {
  const number = Number(port);
  if (/^[+-]?\d+$/.test(port) && number >= 0 && number <= 65_535) return number;
  throw new Failure(
    `EXPOSE ${text} has the port "${port}"; accepted are 0 to 65535, or a range such as 8000-8010.`,
  );
}

function checkAddress(text: string, ip: string): void {
  const bare = ip.startsWith('[') && ip.endsWith(']') ? ip.slice(1, -1) : ip;
  if (ip !== '' && isIP(bare) === 0) throw new Failure(`EXPOSE ${text} has "${ip}", which is no IP address.`);
}

function checkHostPorts(text: string, container: Range, host: Range): void {
  if (container.start === container.end) return;
  if (container.end - container.start !== host.end - host.start)
    throw new Failure(`EXPOSE ${text} has two ranges of different length.`);
}
