/** Times as callers write them: RFC 3339, a date alone, or a time without a zone, which is UTC. */

// A `+` that was not percent-encoded has become a space by the time it gets here.
const pattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:([Zz])|([+ -])(\d\d):(\d\d))?)?$/;

const dayMs = 86_400_000;

/** Unix ms, with a fraction where one is given; undefined where `text` is not a time. */
export function parseTime(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const at = (group: number) => Number(match[group] ?? 0);
  const [year, month, day] = [at(1), at(2), at(3)];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  const [hour, minute, second] = [at(4), at(5), at(6)];
  // RFC 3339 §5.6: a leap second is 60.
  if (hour > 23 || minute > 59 || second > 60 || at(10) > 23 || at(11) > 59) return undefined;
  const fractionMs = Number(`0.${match[7] ?? 0}`) * 1000;
  const offsetMs = (at(10) * 60 + at(11)) * 60_000 * (match[9] === '-' ? -1 : 1);
  const ofDayMs = ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
  return daysSinceEpoch(year, month, day) * dayMs + ofDayMs - offsetMs;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** Counted in years that begin in March, so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const inYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leaps + inYear - 719_468;
}
