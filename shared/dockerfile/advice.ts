import { didYouMean, Failure } from '../host/index.ts';
import { formatPlatform } from '../oci/index.ts';
import { readInstruction } from './instruction.ts';
import type { Warning } from './model.ts';
import type { Resolution } from './resolution.ts';

/** A number of seconds; BuildKit also takes the time from a source that is named, which it alone can ask. */
export function sourceDateEpoch({ options, globals, outline }: Resolution): {
  readonly seconds: number | undefined;
  readonly unmodelled: readonly Warning[];
} {
  const text = options.buildArgs?.SOURCE_DATE_EPOCH ?? globals.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '') return { seconds: undefined, unmodelled: [] };
  if (/^[+-]?\d{1,18}$/.test(text)) return { seconds: Number(text), unmodelled: [] };
  const known = text === 'context' || outline.names.has(text.toLowerCase()) || options.contexts?.has(text);
  if (!known)
    throw new Failure(
      `SOURCE_DATE_EPOCH is "${text}"; accepted are seconds since 1970, "context", or the name of a stage or context.`,
    );
  const message = `SOURCE_DATE_EPOCH asks for the time of "${text}"`;
  return { seconds: undefined, unmodelled: [{ message, lines: undefined }] };
}

/** Arguments that BuildKit knows without ARG. */
const PREDEFINED = /^(?:https?_proxy|ftp_proxy|no_proxy|all_proxy|SOURCE_DATE_EPOCH|BUILDKIT_.*)$/i;

/** Build arguments that were given for nothing. */
export function unusedArgs({ options, outline, globals }: Resolution): Warning[] {
  const declared = new Set(globals.keys());
  const { dockerfile, stages } = outline;
  const commands = [
    ...dockerfile.globalArgs.map((one) => readInstruction(one, dockerfile.directives.escape)),
    ...dockerfile.stages.flatMap((stage) =>
      stage.instructions.map((one) => readInstruction(one, dockerfile.directives.escape)),
    ),
    ...stages.flatMap((stage) => stage.commands.map((command) => command.statement)),
  ];
  for (const statement of commands)
    if (statement.kind === 'arg') for (const { key } of statement.args) declared.add(key);
  return Object.keys(options.buildArgs ?? {})
    .filter((name) => !declared.has(name) && !PREDEFINED.test(name))
    .map((name) => ({
      message: `The build argument ${name} is given, but no ARG of ${dockerfile.path} declares it.${didYouMean(name, declared)}`,
      lines: undefined,
    }));
}

/** A source that is nearly the name of a stage is an image to BuildKit, and a riddle to who reads that it cannot be pulled. */
export function mistakenImages({ outline }: Resolution): Warning[] {
  return outline.stages.flatMap(({ commands }) =>
    commands.flatMap(({ statement, sources, instruction }) => {
      const from = statement.kind === 'copy' ? (statement.from ?? '') : '';
      const hint =
        sources[0]?.kind === 'image' && /^[a-z-]+$/.test(from) ? didYouMean(from, outline.names.keys()) : '';
      if (hint === '') return [];
      return [
        {
          message: `COPY --from=${from} names no stage, so it means the image ${from}.${hint}`,
          lines: instruction.lines,
        },
      ];
    }),
  );
}

/** Contexts that were given for nothing: the stage would then be built as if nobody had handed it in. */
export function unusedContexts({ options, outline, platform }: Resolution): Warning[] {
  const { dockerfile, names, usedContexts: used } = outline;
  const given = [...(options.contexts?.keys() ?? [])];
  return given.flatMap((name) => {
    const forOther = name.includes('::') && !name.endsWith(`::${formatPlatform(platform)}`);
    if (used.has(name) || forOther) return [];
    const why = /^(scratch|context)$/i.test(name)
      ? 'that name is reserved'
      : `no stage and no image of ${dockerfile.path} has that name`;
    return [
      {
        message: `The context ${name} is given, but ${why}.${didYouMean(name, names.keys())}`,
        lines: undefined,
      },
    ];
  });
}
