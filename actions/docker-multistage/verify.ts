import { Failure } from '../../shared/host/index.ts';

/** Reads the input `verify-reuse`: a share such as 5%, 0.5% or 100%. A wrong one is a Failure with the nearest right answer. */
export function parseShare(text: string): number {
  const given = text.trim();
  if (given === '') return 0;
  const match = /^(\d+(?:\.\d+)?) ?%$/.exec(given);
  const percent = Number(match?.[1]);
  if (match !== null && percent <= 100) return percent / 100;
  throw new Failure(
    `Input "verify-reuse" is "${text}"; accepted is a share from 0% to 100%, such as ${meant(given)}.`,
  );
}

/** A bare number from 0 to 1 is a fraction, one up to 100 a percentage. */
function meant(given: string): string {
  const number = Number(given.replace(',', '.').replace(/ ?%$/, ''));
  if (Number.isNaN(number) || number < 0) return '5%';
  if (number > 100) return '100%';
  return number > 0 && number < 1 && !given.includes('%') ? `${number * 100}%` : `${number}%`;
}
