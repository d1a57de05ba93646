/** A template with its slots filled, as text for the official engine and as JSON. */
import type { PolicyJson, ScopeJson, SlotName } from "../cedar/policy-json.ts";
import type { EntityUid } from "../cedar/values.ts";
import { quoteString, splitStatements, type Statement } from "./policy-text.ts";

export type SlotValues = ReadonlyMap<SlotName, EntityUid>;

/** The slots that a template has. */
export function slotsOf({ tokens }: Statement): ReadonlySet<SlotName> {
  const slots = tokens.filter(({ kind }) => kind === "slot").map(({ text }) => text as SlotName);
  return new Set(slots);
}

/** The policy that a link makes, as if it had been written. Its offsets are its own, from 0. */
export function linkedStatement(template: Statement, values: SlotValues): Statement {
  let text = "";
  let copied = 0;
  for (const token of template.tokens) {
    const uid = token.kind === "slot" ? values.get(token.text as SlotName) : undefined;
    if (uid === undefined) continue;
    const at = token.start - template.start;
    text += `${template.text.slice(copied, at)}${uid.type}::${quoteString(uid.id)}`;
    copied = at + token.text.length;
  }
  const [statement] = splitStatements(text + template.text.slice(copied));
  if (statement === undefined) throw new TypeError("a template is a statement");
  return statement;
}

export function linkedJson(template: PolicyJson, values: SlotValues): PolicyJson {
  const { principal, resource } = template;
  return {
    ...template,
    principal: filled(principal, values),
    resource: filled(resource, values),
  };
}

function filled(scope: ScopeJson, values: SlotValues): ScopeJson {
  if (scope.op === "All") return scope;
  if (scope.op === "is") {
    return scope.in === undefined ? scope : { ...scope, in: target(scope.in, values) };
  }
  return scope.slot === undefined ? scope : { op: scope.op, ...target(scope, values) };
}

type Target = NonNullable<Extract<ScopeJson, { op: "is" }>["in"]>;

function target(given: Target, values: SlotValues): Target {
  const uid = given.slot === undefined ? undefined : values.get(given.slot);
  return uid === undefined ? given : { entity: { type: uid.type, id: uid.id } };
}
