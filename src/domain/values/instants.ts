/** Moments as the API shows them: RFC 3339 in UTC with milliseconds. */

const daySeconds = 86_400;

// Most instants are that of the one before, or at least of its second.
let lastMs = Number.NaN;
let lastText = '';
let lastSecond = Number.NaN;
let lastPrefix = '';

/** Of Unix ms between the years 0 and 9999. */
export function instantText(unixMs: number): string {
  if (unixMs === lastMs) return lastText;
  const second = Math.floor(unixMs / 1000);
  if (second !== lastSecond) {
    lastPrefix = secondText(second);
    lastSecond = second;
  }
  lastText = `${lastPrefix}.${String(unixMs - second * 1000).padStart(3, '0')}Z`;
  lastMs = unixMs;
  return lastText;
}

function secondText(second: number): string {
  const day = Math.floor(second / daySeconds);
  const inDay = second - day * daySeconds;
  const time = [Math.floor(inDay / 3_600), Math.floor(inDay / 60) % 60, inDay % 60];
  return `${civilDate(day)}T${time.map(two).join(':')}`;
}

/** Counted in eras of 400 years that begin in March, so that the leap day comes last. */
function civilDate(daysSinceEpoch: number): string {
  const shifted = daysSinceEpoch + 719_468;
  const era = Math.floor(shifted / 146_097);
  const inEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) /
      365,
  );
  const inYear =
    inEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * inYear + 2) / 153);
  const dayOfMonth = inYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(dayOfMonth)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
