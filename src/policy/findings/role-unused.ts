/** A role that is given and that no policy asks for. */
import { sallyportUid } from "../cedar-names.ts";
import { readDataFile } from "../data/data-document.ts";
import { isDataFile } from "../policy-source.ts";
import type { FindingPlace } from "./finding.ts";
import type { FindingSubject } from "./subject.ts";
import type { FindingRule } from "./finding-rule.ts";

export const roleUnused: FindingRule = {
  id: "role-unused",
  severity: "warning",
  title: "a role is given and no policy asks for it",
  proves:
    "An authenticator may give the role by name, or a data file has members of it, and no policy names it or anything that data files put it in.",
  silence:
    "That the roles of tokens are used. Those that no list names are under the authenticator's own name, and are not known before they come.",
  remedy: "write the policy that it is for, or take it out of the authenticator",
  *find(subject) {
    const { policies, vocabulary, written } = subject;
    const named = new Set(policies.flatMap((policy) => policy.named.map(({ key }) => key)));
    const isUsed = (role: string): boolean => {
      const { key } = sallyportUid("Role", role);
      return named.has(key) || [...(subject.entities.get(key) ?? [])].some((up) => named.has(up));
    };
    const facts = new Map(written.authenticators.map((one) => [one.name, one]));
    for (const { name, bareRoles } of vocabulary.authenticators) {
      const own = facts.get(name);
      if (own === undefined) continue;
      for (const role of bareRoles) {
        if (isUsed(role)) continue;
        yield {
          of: role,
          place: own.rolePlaces.get(role) ?? own.place,
          message: `no policy names role "${role}", which authenticator "${name}" gives`,
        };
      }
    }
    for (const { role, place } of rolesOfFiles(subject)) {
      if (isUsed(role)) continue;
      yield {
        of: role,
        place,
        message: `no policy names role "${role}", which this file gives`,
        remedy: "write the policy that it is for, or take the role out of the data file",
      };
    }
  },
};

/** Roles to which data files give members. */
function* rolesOfFiles({ files }: FindingSubject): Generator<{
  readonly role: string;
  readonly place: FindingPlace;
}> {
  for (const file of files) {
    const document = isDataFile(file.name) ? readDataFile(file).document : undefined;
    for (const role of Object.keys(document?.content?.roles ?? {})) {
      yield { role, place: document?.placeOf(["roles", role]) ?? {} };
    }
  }
}
