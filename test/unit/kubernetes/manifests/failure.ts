import { Failure } from '../../../../shared/host/index.ts';

/** The message and the place of the Failure that a call throws. */
export function placeOfFailure(call: () => unknown): Pick<Failure, 'message' | 'location'> {
  try {
    call();
  } catch (error) {
    return failureOf(error);
  }
  throw new Error('Nothing was thrown.');
}

/** The same for what is done in a while. */
export async function failureIn(promise: Promise<unknown>): Promise<Pick<Failure, 'message' | 'location'>> {
  const error = await promise.then(
    () => new Error('Nothing was thrown.'),
    (reason: unknown) => reason,
  );
  return failureOf(error);
}

function failureOf(error: unknown): Pick<Failure, 'message' | 'location'> {
  if (!(error instanceof Failure)) throw error;
  return { message: error.message, location: error.location };
}
