/** A time as people write it on a command line. */

/** A date is its first moment in UTC; a time says where it is meant. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds since the epoch; undefined for what is no time, or does not say of which zone. */
export function writtenTime(text: string): number | undefined {
  const timeMs = TIME.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Some runtimes take the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(text);
}
