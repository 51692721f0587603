import { openSession } from './session.ts';

/** Called by vitest before the first and after the last test file of a tier. */
export default async function setup(): Promise<() => Promise<void>> {
  const session = await openSession();
  return async () => session[Symbol.asyncDispose]();
}
