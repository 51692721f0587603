import { didYouMean, Failure } from '../../host/index.ts';
import type { Check, ExecCheck, From, GrpcCheck, HttpCheck, StatusRange, TcpCheck } from './check.ts';

/**
 * Reads checks, one a line:
 *
 *     http[s]://service[.namespace][:port][/path] [status=200] [body=text] [header=Name:value] [from=pod|cluster|runner]
 *     grpc[s]://service[.namespace]:port[/name] [from=pod|runner]
 *     tcp://service[.namespace]:port [from=pod|runner]
 *     exec://workload[/container] command argument …
 *
 * A word with spaces is put in single or double quotes. Throws a Failure that names the line.
 */
export function parseChecks(lines: readonly string[]): readonly Check[] {
  return lines.map(parseCheck);
}

const SCHEMES = ['http', 'https', 'grpc', 'grpcs', 'tcp', 'exec'] as const;

function parseCheck(line: string): Check {
  const all = wordsOf(line);
  const text = shown(all);
  const [address = '', ...words] = all;
  const scheme = /^([a-z]+):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined || !SCHEMES.some((one) => one === scheme))
    throw wrong(
      text,
      `starts with ${scheme === undefined ? `"${withoutUser(address)}"` : `the scheme "${scheme}"`}; accepted are ${SCHEMES.join(', ')}, as in http://storefront/readyz.${didYouMean(scheme ?? '', SCHEMES)}`,
    );
  const rest = address.slice(scheme.length + 3);
  if (scheme === 'exec') return execCheck(text, rest, words);
  const options = optionsOf(text, words);
  const target = targetOf(text, rest, options.one('from') === 'runner');
  if (scheme === 'http' || scheme === 'https') return httpCheck(text, scheme === 'https', target, options);
  const check = { text, ...target.place, from: fromOf(text, options, ['pod', 'runner']) };
  options.end(['from']);
  if (check.from === 'runner' && check.port === undefined)
    throw wrong(text, `names no port; write it behind the host, as in ${scheme}://${check.host}:50051.`);
  if (scheme !== 'tcp')
    return {
      ...check,
      kind: 'grpc',
      tls: scheme === 'grpcs',
      service: target.path.replace(/^\//, ''),
    } satisfies GrpcCheck;
  if (!/^\/?$/.test(target.path)) throw wrong(text, 'has a path; a TCP check only connects.');
  return { ...check, kind: 'tcp' } satisfies TcpCheck;
}

function httpCheck(text: string, tls: boolean, target: Target, options: Options): HttpCheck {
  const check: HttpCheck = {
    kind: 'http',
    text,
    tls,
    ...target.place,
    path: target.path || '/',
    status: statusOf(text, options.one('status') ?? '2xx'),
    body: options.one('body'),
    headers: Object.fromEntries(options.all('header').map((header) => headerOf(text, header))),
    from: fromOf(text, options, ['pod', 'cluster', 'runner']),
  };
  options.end(['status', 'body', 'header', 'from']);
  if (check.from === 'cluster' && Object.keys(check.headers).length > 0)
    throw wrong(text, 'sets a header, which the API server’s proxy does not pass on; ask from=pod.');
  return check;
}

function execCheck(text: string, rest: string, command: readonly string[]): ExecCheck {
  const match = /^([\w.-]+)(?:\/([\w-]+))?$/.exec(rest);
  if (match === null)
    throw wrong(
      text,
      `names "${rest}"; accepted is a workload, or workload/container, as in exec://storefront /bin/check.`,
    );
  if (command.length === 0) throw wrong(text, 'has no command; write it behind the workload.');
  return { kind: 'exec', text, workload: match[1]!, container: match[2], command };
}

interface Target {
  readonly place: {
    readonly host: string;
    readonly namespace: string | undefined;
    readonly port: string | undefined;
  };
  readonly path: string;
}

function targetOf(text: string, rest: string, isHost: boolean): Target {
  if (withoutUser(rest) !== rest)
    throw wrong(text, 'has a user before the host; give it as header="Authorization: Basic …".');
  const match = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::([\w-]+))?(\/.*|\?.*)?$/i.exec(rest);
  if (match === null)
    throw wrong(
      text,
      `asks "${rest}"; accepted is service[.namespace][:port][/path], as in storefront:8080/readyz.`,
    );
  const [, name = '', port, path = ''] = match;
  const at = (path.startsWith('?') ? `/${path}` : path).replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  if (port !== undefined && /^\d+$/.test(port) && (Number(port) < 1 || Number(port) > 65_535))
    throw wrong(text, `names the port ${port}; accepted are 1 to 65535.`);
  if (isHost) {
    if (port !== undefined && !/^\d+$/.test(port))
      throw wrong(
        text,
        `names the port "${port}", which only a Service has; from the runner give its number.`,
      );
    return { place: { host: name, namespace: undefined, port }, path: at };
  }
  // As DNS in the cluster spells it: service, service.namespace, service.namespace.svc, service.namespace.svc.cluster.local.
  const [host, namespace, svc] = name.split('.');
  if (svc !== undefined && svc !== 'svc')
    throw wrong(
      text,
      `asks "${name}", which is no Service; add from=runner to ask an address outside of the cluster.`,
    );
  return { place: { host: host!, namespace, port }, path: at };
}

interface Options {
  one(name: string): string | undefined;
  all(name: string): readonly string[];
  /** Throws for whatever is there beside `accepted`. */
  end(accepted: readonly string[]): void;
}

function optionsOf(text: string, words: readonly string[]): Options {
  const pairs = words.map((word) => {
    const at = word.indexOf('=');
    if (at < 1)
      throw wrong(
        text,
        `has "${shownWord(word)}"; what follows the address is name=value, as in status=204.`,
      );
    return [word.slice(0, at), word.slice(at + 1)] as const;
  });
  const all = (name: string) => pairs.filter(([one]) => one === name).map(([, value]) => value);
  return {
    all,
    one(name) {
      const values = all(name);
      if (values.length > 1) throw wrong(text, `gives ${name} twice.`);
      return values[0];
    },
    end(accepted) {
      const unknown = pairs.find(([name]) => !accepted.includes(name))?.[0];
      if (unknown !== undefined)
        throw wrong(
          text,
          `sets "${unknown}"; accepted are ${accepted.join(', ')}.${didYouMean(unknown, accepted)}`,
        );
    },
  };
}

function fromOf<const F extends From>(text: string, options: Options, accepted: readonly F[]): F {
  const given = options.one('from') ?? 'pod';
  const found = accepted.find((one) => one === given);
  if (found !== undefined) return found;
  throw wrong(text, `asks from=${given}; accepted are ${accepted.join(', ')}.${didYouMean(given, accepted)}`);
}

function statusOf(text: string, given: string): StatusRange[] {
  return given.split(',').map((part) => {
    const whole = /^([1-5])xx$/i.exec(part);
    if (whole !== null) return { from: Number(whole[1]) * 100, to: Number(whole[1]) * 100 + 99 };
    if (!/^[1-5]\d\d$/.test(part))
      throw wrong(text, `wants status=${given}; accepted are statuses such as 200, 2xx or 200,204.`);
    return { from: Number(part), to: Number(part) };
  });
}

function headerOf(text: string, given: string): readonly [string, string] {
  const match = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(given);
  if (match === null)
    throw wrong(text, 'sets a header that is none; accepted is Name:value, as in header=Host:shop.example.');
  if (/[^\t\x20-\x7e\x80-\xff]/.test(match[2]!))
    throw wrong(text, `sets the header ${match[1]} to a text that no header can have.`);
  return [match[1]!, match[2]!];
}

/** The words of a line. Quotes keep spaces; there is no other escape and nothing is expanded. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g))
    words.push(word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
  const quotes = text.replace(/"[^"]*"|'[^']*'/g, '');
  if (/["']/.test(quotes)) throw wrong(shown(text.split(/\s+(?=\w+=)/)), 'has a quote that is not closed.');
  return words;
}

/** A check as messages and reports show it: without the values of headers, which may be credentials. */
const shown = (words: readonly string[]): string => words.map(shownWord).join(' ');

function shownWord(word: string): string {
  const header = /^(['"]?\w*headers?=['"]?)([^:]*)(:.*)?$/is.exec(word);
  if (header !== null) return `${header[1]}${header[3] === undefined ? '…' : `${header[2]}:…`}`;
  const safe = withoutUser(word);
  return /\s/.test(safe) && !/["']/.test(safe) ? `"${safe}"` : safe;
}

/** An address without the name and password before its host. */
const withoutUser = (address: string): string => address.replace(/^([a-z]+:\/\/)?[^/?\s]*@/i, '$1…@');

const wrong = (text: string, what: string) => new Failure(`The check "${text}" ${what}`);
