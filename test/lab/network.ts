import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { find } from './place.ts';

/**
 * A bridge with a subnet and firewall rules of its own for the engine's containers. The engine's own rules are off: each engine that
 * starts on a machine rewrites the chains that they all share, and containers of the others lose the network. The name is noted in the
 * session's folder before anything is made.
 */
export async function openBridge(session: string): Promise<string> {
  if (find('ip') === undefined || find('iptables') === undefined) return 'none';
  const subnet = process.pid % 250;
  const name = `slw${process.pid}-${subnet}`;
  await writeFile(join(session, `bridge-${name}`), '');
  await system('ip', ['link', 'add', name, 'type', 'bridge']);
  await system('ip', ['address', 'add', `172.30.${subnet}.1/24`, 'dev', name]);
  await system('ip', ['link', 'set', name, 'up']);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  for (const [table, chain, ...rule] of rules(name))
    await system('iptables', ['--wait', '--table', table, '--insert', chain, ...rule]);
  return name;
}

/** Takes back what openBridge did, as much of it as there is. */
export async function closeBridge(name: string): Promise<void> {
  for (const [table, chain, ...rule] of rules(name))
    await system('iptables', ['--wait', '--table', table, '--delete', chain, ...rule]).catch(() => {});
  await system('ip', ['link', 'delete', name]).catch(() => {});
}

type Rule = readonly [table: string, chain: string, ...rule: string[]];

function rules(name: string): readonly Rule[] {
  const subnet = `172.30.${name.slice(name.indexOf('-') + 1)}.0/24`;
  return [
    ['nat', 'POSTROUTING', '--source', subnet, '!', '--out-interface', name, '--jump', 'MASQUERADE'],
    ['filter', 'FORWARD', '--in-interface', name, '--jump', 'ACCEPT'],
    ['filter', 'FORWARD', '--out-interface', name, '--jump', 'ACCEPT'],
  ];
}

async function system(program: string, args: readonly string[]): Promise<void> {
  await run({ program: find(program) ?? program, args });
}
