/** MIME types as buckets restrict them: an exact type or a whole family, parameters left aside. */

const token = '[a-z0-9!#$&^_.+-]+';
const patternForm = new RegExp(`^(?:${token}/(?:${token}|\\*)|\\*/\\*)$`);
const typeForm = new RegExp(`^${token}/${token}$`);
const quoted = /"(?:[^"\\]|\\.)*"/g;

/**
 * `Image/PNG; q=1` → `image/png`. A value with a comma outside of quotes stays whole: it is several
 * types, and browsers take the last (Fetch, "extract a MIME type"), so the first must not vouch for it.
 */
export function essenceOf(contentType: string): string {
  if (contentType.replace(quoted, '').includes(',')) return contentType.trim().toLowerCase();
  const [essence = ''] = contentType.split(';', 1);
  return essence.trim().toLowerCase();
}

/** True for an exact type, a family (`image/` and a star) or a star on both sides, in lower case. */
export function isMimePattern(text: string): boolean {
  return text.length <= 255 && patternForm.test(text);
}

/** True where `contentType` is one of `allowed`; a bucket without a list allows all. */
export function allowsMime(allowed: readonly string[] | null, contentType: string): boolean {
  if (allowed === null) return true;
  const essence = essenceOf(contentType);
  return allowed.some((pattern) => {
    if (pattern === '*/*') return true;
    if (!typeForm.test(essence)) return false;
    return pattern.endsWith('/*') ? essence.startsWith(pattern.slice(0, -1)) : pattern === essence;
  });
}
