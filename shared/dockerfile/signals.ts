import { didYouMean, Failure } from '../host/index.ts';

const NAMES: readonly string[] = (
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU ' +
  'URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
).split(' ');

/** Checks a signal of STOPSIGNAL as moby/sys/signal does for Linux: a number that is not 0, or a name with or without SIG. */
export function checkSignal(text: string): void {
  if (/^[+-]?\d+$/.test(text) && Number(text) !== 0) return;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (NAMES.includes(name) || /^RTMIN\+([1-9]|1[0-5])$/.test(name) || /^RTMAX-([1-9]|1[0-4])$/.test(name))
    return;
  const hint = didYouMean(name, NAMES).replace('"', '"SIG');
  throw new Failure(`STOPSIGNAL is "${text}"; accepted is a signal such as SIGTERM, SIGINT or 15.${hint}`);
}
