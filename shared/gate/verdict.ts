/** What a gate says. Only `pass` lets a release go on: missing evidence is `unknown`, which never passes. */
export interface Verdict {
  readonly kind: 'pass' | 'fail' | 'unknown';
  /** The check, as the user named it: `GET http://storefront/readyz`. */
  readonly check: string;
  /** One sentence: what was expected and what came. */
  readonly message: string;
  /** Lines as they came: status, headers that matter, the start of the body; one entry an attempt. */
  readonly evidence: readonly string[];
  readonly attempts: number;
  readonly milliseconds: number;
}
