import type { ActionEntry } from '../shared/host/index.ts';

/** Every action by its name, in the order in which help lists them. */
export const actions: Readonly<Record<string, ActionEntry>> = {
  up: {
    definition: async () => (await import('./up/definition.ts')).definition,
    module: () => import('./up/run.ts'),
    positional: 'directory',
  },
  'go-build': {
    definition: async () => (await import('./go-build/definition.ts')).definition,
    module: () => import('./go-build/run.ts'),
  },
  'docker-multistage': {
    definition: async () => (await import('./docker-multistage/definition.ts')).definition,
    module: () => import('./docker-multistage/run.ts'),
    positional: 'context',
  },
  'k8s-rollout': {
    definition: async () => (await import('./k8s-rollout/definition.ts')).definition,
    module: () => import('./k8s-rollout/run.ts'),
    positional: 'manifests',
  },
};
