import { cpus, release, totalmem } from 'node:os';
import { run } from '../../shared/exec/index.ts';

/** What the figures were measured on, as a line of text: without it they mean nothing. */
export async function machine(): Promise<string> {
  const [first, ...more] = cpus();
  const version = await run({ program: 'go', args: ['env', 'GOVERSION'] });
  const commit = await run({ program: 'git', args: ['describe', '--always', '--dirty'] });
  return [
    `${more.length + 1} × ${first!.model.trim()}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    version.stdout.toString().trim(),
    `Slipway ${commit.stdout.toString().trim()}`,
    new Date().toISOString().slice(0, 10),
  ].join(', ');
}
