/**
 * The `tracestate` field (W3C Trace Context, section 3.3): what each tracing system says of a trace
 * to itself. We add nothing to it; it goes on where all of it can be read.
 *
 * Refuses, as a whole, a list with a member that breaks the grammar, with a key twice, with more than
 * 32 members, or longer than what everybody has to take.
 */

const LIMITS = {
  /** Members (section 3.3.1.1). */
  members: 32,
  /** Characters of all fields together: what has to be passed on at least, and what others cut off at (section 3.3.1.5). */
  chars: 512,
} as const;

/** One member: simple and multi-tenant keys, as level 1 has them. */
const MEMBER =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/** One text of all fields of that name, in their order; undefined where it cannot go on, or says nothing. */
export function joinTracestate(values: readonly string[]): string | undefined {
  if (values.length > LIMITS.members) return undefined;
  const joined = values.join(",");
  if (joined.length > LIMITS.chars) return undefined;
  const members: string[] = [];
  const keys = new Set<string>();
  for (const piece of joined.split(",")) {
    const member = piece.replace(/^[ \t]+|[ \t]+$/g, "");
    // Empty members are allowed, and mean nothing.
    if (member === "") continue;
    if (!MEMBER.test(member)) return undefined;
    const key = member.slice(0, member.indexOf("="));
    if (keys.has(key) || keys.size === LIMITS.members) return undefined;
    keys.add(key);
    members.push(member);
  }
  return members.length === 0 ? undefined : members.join(",");
}
