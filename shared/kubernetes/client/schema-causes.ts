import { ApiError } from '../cluster.ts';

/**
 * Server-side apply checks an object against its schema before all else, and answers what does not fit it with 500, no reason and a
 * text. Here it becomes what other writes get: 422 Invalid, with a cause for each field. So do unknown fields that strict decoding
 * finds. Other errors come back as they are.
 */
export function withSchemaCauses(error: ApiError): ApiError {
  const typed = error.status === 500 && error.reason === '' && /^failed to create typed /.test(error.message);
  const strict = error.status === 400 && error.message.includes('strict decoding error: ');
  if (!typed && !strict) return error;
  const causes = typed ? typedCauses(error.message) : strictCauses(error.message);
  return new ApiError({ status: 422, reason: 'Invalid', message: error.message, causes, call: error.call });
}

/** `.spec.containers[name="web"].foo: field not declared in schema`, one or several. */
const typedCauses = (message: string): ApiError['causes'] =>
  [...message.matchAll(/(?:^|\s)\.([\w.-]*(?:\[[^\]]*\][\w.-]*)*): ([^\n]+)/g)].map(([, field, text]) => ({
    field: field!,
    message: text!,
  }));

/** `unknown field "spec.foo", duplicate field "spec.bar"`. */
const strictCauses = (message: string): ApiError['causes'] =>
  [...message.matchAll(/(unknown|duplicate) field "([^"]+)"/g)].map(([, what, field]) => ({
    field: field!,
    message: `${what} field`,
  }));
