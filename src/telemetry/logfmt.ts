/** Values of `name=value` pairs, and what keeps one line one line, whatever others wrote into it. */

/** Bare where it cannot be misread. */
const BARE = /^[!#-<>-[\]-~]+$/;

export function logfmtValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return BARE.test(value) ? value : withoutControls(JSON.stringify(value));
}

/** What JSON leaves as it is, and a terminal or another reader of lines does not. */
// oxlint-disable-next-line no-control-regex -- these are what it looks for
const CONTROL = /[\u007f-\u009f\u2028\u2029]/;
// oxlint-disable-next-line no-control-regex -- as above
const CONTROLS = new RegExp(CONTROL, "g");

/** JSON text that means the same, with these as escapes. */
export function withoutControls(json: string): string {
  // Nearly no line has one, and to look costs less than to replace.
  return CONTROL.test(json) ? json.replaceAll(CONTROLS, escapedUnit) : json;
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
