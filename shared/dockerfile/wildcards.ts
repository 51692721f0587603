/** A pattern as a list of what it takes, for patterns on which a backtracking regular expression would run away. */
export type Token =
  /** One character: the one given, or what the expression says. */
  | string
  | RegExp
  /** `*`: characters up to a slash · `**` at the end: any characters · a `**` with its slash: any folders, or none. */
  | { readonly any: 'name' | 'rest' | 'folders' };

/**
 * Whether the tokens take the whole text. All ways to read the text are followed side by side, so the time is the length of the text
 * times the number of tokens, whatever the pattern.
 */
export function matchTokens(tokens: readonly Token[], text: string): boolean {
  let states = withSkipped(tokens, new Set([0]));
  for (const character of text) {
    const next = new Set<number>();
    for (const state of states) for (const target of step(tokens, state, character)) next.add(target);
    if (next.size === 0) return false;
    states = withSkipped(tokens, next);
  }
  return states.has(tokens.length);
}

/** A state is the number of tokens read; inside the folders of a `**`, from which only a slash leads out, it has a half more. */
function step(tokens: readonly Token[], state: number, character: string): readonly number[] {
  const at = Math.floor(state);
  const token = tokens[at];
  if (token === undefined) return [];
  if (typeof token === 'string') return token === character ? [at + 1] : [];
  if (token instanceof RegExp) return token.test(character) ? [at + 1] : [];
  if (token.any === 'name') return character === '/' ? [] : [at];
  if (character === '\n') return [];
  if (token.any === 'rest') return [at];
  return character === '/' ? [at + 0.5, at + 1] : [at + 0.5];
}

/** Also the states behind tokens that can take nothing. */
function withSkipped(tokens: readonly Token[], states: Set<number>): Set<number> {
  for (const state of states) {
    const token = tokens[state];
    if (typeof token === 'object' && !(token instanceof RegExp)) states.add(state + 1);
  }
  return states;
}
