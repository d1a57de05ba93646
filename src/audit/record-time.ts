/** Times as records have them: UTC, to the millisecond, in one form. */

/** Returns what tells them. Records of one second share all but their last digits. */
export function createTimeCheck(): (text: unknown) => text is string {
  let known = "";
  return (text): text is string => {
    if (typeof text !== "string" || text.length !== 24) return false;
    const second = text.slice(0, 20);
    if (second !== known) {
      const time = Date.parse(text);
      if (Number.isNaN(time) || new Date(time).toISOString() !== text) return false;
      known = second;
    }
    return /^\d{3}Z$/.test(text.slice(20));
  };
}
