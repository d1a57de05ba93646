/**
 * Names of JSON members that some reader takes for another name. JSON compares them by their characters,
 * but Go's and .NET's readers take `Amount` for `amount`, protobuf's take `user_id` for `userId`, and
 * what is written in C ends a name at NUL. Who looks at one of them, and is not sure which reader comes
 * next, refuses the others.
 */

const PLAIN = /^[a-z0-9]*$/;
const ASCII = /^\p{ASCII}*$/u;
const SIGNS = /[\s_-]/g;

/** The same for all names that a lenient reader could take for each other. */
export function foldedName(name: string): string {
  if (PLAIN.test(name)) return name;
  // Nearly all names: the way of all others takes four times as long.
  if (ASCII.test(name) && !name.includes("\0")) return name.toLowerCase().replaceAll(SIGNS, "");
  const end = name.indexOf("\0");
  const whole = end < 0 ? name : name.slice(0, end);
  // Upper-case first: only so the long s and the Kelvin sign become the letters that Go takes them for.
  return whole.toUpperCase().toLowerCase().replaceAll(SIGNS, "");
}

/** Whether a member has a name that could be taken for one of `names` and is none. */
export function hasLookalike(members: object, names: readonly string[]): boolean {
  const folded = new Set(names.map(foldedName));
  return Object.keys(members).some((name) => folded.has(foldedName(name)) && !names.includes(name));
}
