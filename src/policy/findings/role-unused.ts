/** A role that is given and that no policy asks for. */
import { NAMESPACE } from "../cedar-names.ts";
import type { FindingRule } from "./finding-rule.ts";

export const roleUnused: FindingRule = {
  id: "role-unused",
  severity: "warning",
  title: "a role is given and no policy asks for it",
  proves: "An authenticator may give the role by name, and no policy names it.",
  silence:
    "That the roles of tokens are used. Those that no list names are under the authenticator's own name, and are not known before they come.",
  remedy: "write the policy that it is for, or take it out of the authenticator",
  *find({ policies, vocabulary, written }) {
    const used = new Set(
      policies.flatMap(({ named }) =>
        named.filter(({ type }) => type === `${NAMESPACE}::Role`).map(({ id }) => id),
      ),
    );
    const facts = new Map(written.authenticators.map((one) => [one.name, one]));
    for (const { name, bareRoles } of vocabulary.authenticators) {
      const own = facts.get(name);
      if (own === undefined) continue;
      for (const role of bareRoles) {
        if (used.has(role)) continue;
        yield {
          of: role,
          place: own.rolePlaces.get(role) ?? own.place,
          message: `no policy names role "${role}", which authenticator "${name}" gives`,
        };
      }
    }
  },
};
