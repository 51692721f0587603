/** Fields that hold quantities, which the API server writes in a form of its own. */
const QUANTITIES =
  /(^|\.)(limits|requests|hard|capacity|default|defaultRequest|max|min|maxLimitRequestRatio|overhead|podFixed|sizeLimit|divisor|averageValue|value|storage)(\.|\[|$)/;

export const holdsQuantity = (path: string): boolean => QUANTITIES.test(path) && !/\.env\[/.test(path);
