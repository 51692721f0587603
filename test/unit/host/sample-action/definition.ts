import { defineAction, input } from '../../../../shared/host/index.ts';

/** A small action in the form that all actions have, for the tests of their hosts. */
export const definition = defineAction({
  name: 'sample',
  title: 'Sample',
  description: 'Says what it was given.',
  icon: 'box',
  color: 'blue',
  inputs: {
    mode: input.choice(['good', 'failure', 'system', 'fault', 'uncaught', 'wait'], {
      description: 'How it ends.',
      default: 'good',
    }),
    words: input.list({ description: 'Words to say.' }),
    token: input.secret({ description: 'A secret.', default: '${{ github.token }}' }),
  },
  outputs: { said: 'What was said.' },
  post: true,
});
