import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, type Host, type Inputs } from '../../../../shared/host/index.ts';
import type { definition } from './definition.ts';

type SampleInputs = Inputs<typeof definition>;

export async function main(host: Host, inputs: SampleInputs): Promise<void> {
  writeFileSync(join(host.temporary, 'scratch'), 'x');
  host.log(`temporary ${host.temporary}`);
  await host.task('Say it', async (task) => {
    for (const word of inputs.words) task.log(word);
    task.note(`${inputs.words.length} words`);
  });
  host.saveState('kept', inputs.words.join('\n'));
  host.output('said', inputs.words.join('\n'));
  await host.summarize({ markdown: `## Said\n\n${inputs.token}`, text: `Said ${inputs.token}` });
  await end(host, inputs.mode);
}

async function end(host: Host, mode: SampleInputs['mode']): Promise<void> {
  switch (mode) {
    case 'good':
      return;
    case 'failure':
      throw new Failure('The word is wrong.', { location: { file: 'words.txt', line: 3, column: 7 } });
    case 'system':
      writeFileSync('/dev/full', 'x');
      return;
    case 'fault':
      throw new TypeError('undefined is not a word');
    case 'uncaught':
      setTimeout(() => {
        throw new RangeError('nobody waited for this');
      }, 1);
      return new Promise((resolve) => setTimeout(resolve, 5000));
    case 'wait': {
      host.log('waiting');
      const alive = setInterval(() => {}, 1000);
      await once(host.signal, 'abort');
      clearInterval(alive);
      throw host.signal.reason;
    }
  }
}

export async function post(host: Host): Promise<void> {
  host.log(`kept ${host.state('kept')}`);
}
