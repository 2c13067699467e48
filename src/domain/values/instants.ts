/** Moments as the API shows them: RFC 3339 in UTC with milliseconds. */

const dayMs = 86_400_000;

/** Of Unix ms between the years 0 and 9999. */
export function instantText(unixMs: number): string {
  const day = Math.floor(unixMs / dayMs);
  const ms = unixMs - day * dayMs;
  const time = [
    Math.floor(ms / 3_600_000),
    Math.floor(ms / 60_000) % 60,
    Math.floor(ms / 1000) % 60,
  ];
  return `${dateText(day)}T${time.map(two).join(':')}.${String(ms % 1000).padStart(3, '0')}Z`;
}

// Most instants are of the day of the one before.
let lastDay = Number.NaN;
let lastText = '';

function dateText(day: number): string {
  if (day !== lastDay) {
    lastText = civilDate(day);
    lastDay = day;
  }
  return lastText;
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
