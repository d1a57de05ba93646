/**
 * Returns the function that writes a time (milliseconds since the epoch) as quoted RFC 3339 text in
 * UTC with milliseconds. It remembers the last second and the last millisecond, because
 * `toISOString` costs as much as a third of a record and most records share them.
 */
export function createTimeText(): (timeMs: number) => string {
  let second = Number.NaN;
  let prefix = "";
  let last = Number.NaN;
  let text = "";
  return (timeMs) => {
    if (timeMs === last) return text;
    const whole = Math.floor(timeMs / 1000);
    if (whole !== second) {
      prefix = `"${new Date(whole * 1000).toISOString().slice(0, -4)}`;
      second = whole;
    }
    const rest = Math.floor(timeMs) - whole * 1000;
    last = timeMs;
    text = `${prefix}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z"`;
    return text;
  };
}
