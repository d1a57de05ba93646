/** An attribute has one type wherever policies can meet it: on routes, and on a kind of principal. */
import type { AttributeType } from "../model/principal.ts";
import { authenticatorWords } from "../identity/authenticator-options.ts";
import { attributeType } from "./vocabulary.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

export function checkAttributes(draft: Draft): PathProblem[] {
  const problems: PathProblem[] = [];
  const known = new Map<string, { readonly type: AttributeType; readonly owner: string }>();
  const declare = (
    entity: string,
    attribute: { readonly name: string; readonly type: AttributeType },
    at: { readonly owner: string; readonly path: Path },
  ): void => {
    const key = `${entity}.${attribute.name}`;
    const earlier = known.get(key);
    if (earlier === undefined) {
      known.set(key, { type: attribute.type, owner: at.owner });
    } else if (earlier.type !== attribute.type) {
      const message = `the attribute "${attribute.name}" is ${attribute.type} here and ${earlier.type} in ${earlier.owner}`;
      problems.push({ path: at.path, message, remedy: "one type, or another name" });
    }
  };
  for (const part of draft.authenticators) {
    const { kinds, attributes, device = {} } = authenticatorWords(part.options);
    const owner = `authenticator "${part.name}"`;
    for (const [name, type] of Object.entries(attributes)) {
      const path = [...part.path, "principal", "attributes", name];
      for (const kind of kinds) declare(kind, { name, type }, { owner, path });
    }
    for (const [name, type] of Object.entries(device)) {
      const path = [...part.path, "principal", "device", "attributes", name];
      declare("device", { name, type }, { owner, path });
    }
  }
  for (const [what, parts] of [
    ["service", draft.services],
    ["route", draft.routes],
  ] as const) {
    for (const part of parts) {
      for (const [name, value] of Object.entries(part.options.attributes)) {
        const path = [...part.path, "attributes", name];
        const owner = `${what} "${part.name}"`;
        declare("resource", { name, type: attributeType(value) }, { owner, path });
      }
    }
  }
  // Two kinds of one authenticator report the same place once.
  return problems.filter(
    (one, index) => problems.findIndex((other) => other.path === one.path) === index,
  );
}
