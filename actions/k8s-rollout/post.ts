import { runPost } from '../../shared/host/index.ts';
import { definition } from './definition.ts';
import { post } from './run.ts';

await runPost(definition, post);
