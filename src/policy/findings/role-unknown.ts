/** A role or group that a policy names and that nobody can have. */
import { NAMESPACE } from "../cedar-names.ts";
import type { FindingRule } from "./finding-rule.ts";
import { type FindingSubject, halves } from "./subject.ts";

export const roleUnknown: FindingRule = {
  id: "role-unknown",
  severity: "warning",
  title: "a policy names a role or a group that nobody can have",
  proves:
    "The authenticator that the name begins with gives no such role or group: it reads none, or it gives the role bare, without its own name in front. (A bare role that no authenticator gives is no finding but an error.)",
  silence:
    "That somebody has the role or the group. Which ones a provider puts into its tokens is not known here.",
  remedy: "name it as policies see it, or let the authenticator read it",
  *find(subject) {
    for (const { id, named, place } of subject.policies) {
      const seen = new Set<string>();
      for (const uid of named) {
        const { type, id: name } = uid;
        const why =
          seen.has(name) || subject.isGiven(uid) ? undefined : whyNobody(type, name, subject);
        seen.add(name);
        if (why === undefined) continue;
        const kind = type.slice(NAMESPACE.length + 2);
        yield {
          of: name,
          place,
          message: `policy '${id}' names ${kind}::"${name}", and ${why}`,
          policies: [id],
        };
      }
    }
  },
};

function whyNobody(type: string, name: string, subject: FindingSubject): string | undefined {
  const [owner, own] = halves(name);
  if (owner === "") return undefined;
  if (type === `${NAMESPACE}::Role` && !subject.canHaveRole(name, owner)) {
    const bare = subject.vocabulary.authenticators.some(
      (one) => one.name === owner && one.bareRoles.includes(own),
    );
    return bare
      ? `authenticator "${owner}" gives that role as Role::"${own}"`
      : `authenticator "${owner}" gives no roles of its own`;
  }
  if (type === `${NAMESPACE}::Group` && !subject.canHaveGroup(name, owner)) {
    return `authenticator "${owner}" gives no such group`;
  }
  return undefined;
}
