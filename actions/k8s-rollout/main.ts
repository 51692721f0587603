import { runAction } from '../../shared/host/index.ts';
import { definition } from './definition.ts';
import { main } from './run.ts';

await runAction(definition, main);
