import { Failure, type Host, type Inputs } from '../../shared/host/index.ts';
import type { definition } from './definition.ts';

export type RolloutInputs = Inputs<typeof definition>;

export async function main(_host: Host, _inputs: RolloutInputs): Promise<void> {
  throw new Failure('k8s-rollout is being written; this commit holds its inputs and contracts.');
}

export async function post(_host: Host, _inputs: RolloutInputs): Promise<void> {}
