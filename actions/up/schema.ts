import type { ActionDefinition, InputDefinition } from '../../shared/host/index.ts';
import { LEFT_TO_THE_RUN, type Sections } from './config.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The JSON Schema (2020-12) of slipway.yml, made from the definitions of the actions that it configures. */
export function configSchema(sections: Sections): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'slipway.yml',
    description: 'Configuration of the Slipway pipeline. Every key is optional.',
    type: 'object',
    additionalProperties: false,
    properties: {
      name: {
        type: 'string',
        description: 'Name of the service: names the image in the layout and the binaries.',
      },
      build: section(sections.build, 'How the binaries are built: the inputs of go-build.'),
      image: {
        description: 'How the image is built: the inputs of docker-multistage; false for no image.',
        oneOf: [{ const: false }, section(sections.image, 'The inputs of docker-multistage.')],
      },
      rollout: {
        description:
          'How the published image is rolled out: the inputs of k8s-rollout; without it, nothing is.',
        oneOf: [{ const: false }, section(sections.rollout, 'The inputs of k8s-rollout.')],
      },
    },
  };
}

function section(definition: ActionDefinition, description: string): Schema {
  const inputs = Object.entries(definition.inputs).filter(([name]) => !LEFT_TO_THE_RUN.has(name));
  const properties = Object.fromEntries(inputs.map(([name, input]) => [name, property(input)]));
  return { type: ['object', 'null'], description, additionalProperties: false, properties };
}

function property(input: InputDefinition): Schema {
  const { description } = input;
  const given =
    input.default === ''
      ? { description }
      : { description, default: input.kind === 'flag' ? input.default === 'true' : input.default };
  const value = { type: ['string', 'number', 'boolean'] };
  switch (input.kind) {
    case 'flag':
      return { ...given, type: 'boolean' };
    case 'number':
      return { ...given, type: 'number', minimum: 0 };
    case 'choice':
      return { ...given, enum: input.choices };
    case 'size':
      return { ...given, type: ['string', 'integer'] };
    case 'list':
      return {
        ...given,
        oneOf: [value, { type: 'array', items: value }, { type: 'object', additionalProperties: value }],
      };
    case 'duration':
    case 'text':
    case 'secret':
      return { ...given, ...value };
  }
}
