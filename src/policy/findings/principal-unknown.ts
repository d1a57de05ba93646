/** A caller whom a policy names and whom no authenticator can know by that name. */
import { NAMESPACE, PRINCIPAL_TYPES } from "../cedar-names.ts";
import type { ExpressionJson } from "../cedar/policy-json.ts";
import { LOCAL_AUTHENTICATOR } from "../../model/admin-operations.ts";
import type { PrincipalKind } from "../../model/principal.ts";
import type { FindingRule } from "./finding-rule.ts";
import { expressionsIn, type PolicyFacts } from "./policy-facts.ts";
import { type FindingSubject, halves } from "./subject.ts";

export const principalUnknown: FindingRule = {
  id: "principal-unknown",
  severity: "warning",
  title: "a policy names a caller whom nobody can know by that name",
  proves:
    "The authenticator knows no callers of that kind, or all its names begin otherwise (SPIFFE IDs with its trust domain, service accounts with system:serviceaccount:); or a text that is compared with the name of an authenticator is the name of none.",
  silence: "That such a caller exists: a misspelt name behind the right beginning goes unnoticed.",
  remedy: "the name as it stands in decision records: <authenticator>/<subject>",
  *find(subject) {
    for (const policy of subject.policies) {
      for (const [of, why] of new Map([
        ...unknownIds(policy, subject),
        ...unknownTexts(policy, subject),
      ])) {
        const message = `policy '${policy.id}' asks for ${of}, and ${why}`;
        yield { of, place: policy.place, message, policies: [policy.id] };
      }
    }
  },
};

type Unknown = readonly [of: string, why: string];

const KINDS: ReadonlyMap<string, PrincipalKind> = new Map(
  Object.entries(PRINCIPAL_TYPES).map(([kind, type]) => [
    `${NAMESPACE}::${type}`,
    kind as PrincipalKind,
  ]),
);

function* unknownIds({ named }: PolicyFacts, subject: FindingSubject): Generator<Unknown> {
  for (const { type, id } of named) {
    const kind = KINDS.get(type);
    if (kind === undefined || kind === "anonymous") continue;
    const why = whyUnknown(kind, id, subject);
    if (why !== undefined) yield [id, why];
  }
}

function whyUnknown(kind: PrincipalKind, id: string, subject: FindingSubject): string | undefined {
  const [owner] = halves(id);
  const words = subject.vocabulary.authenticators.find(({ name }) => name === owner);
  if (words === undefined) return undefined;
  // A device may be named beside a principal, under the same authenticator's name.
  const beside = kind === "device" && words.device !== undefined;
  if (!words.kinds.includes(kind) && !beside) {
    return `authenticator "${owner}" knows no ${PRINCIPAL_TYPES[kind]}`;
  }
  if (beside || subject.canName(id, owner)) return undefined;
  const facts = subject.written.authenticators.find(({ name }) => name === owner);
  return `names of authenticator "${owner}" begin with ${facts?.subjectPrefix ?? ""}`;
}

/** `context.authn.authenticator == "cropo"`, and the same of an actor, by name or by id. */
function* unknownTexts({ json }: PolicyFacts, subject: FindingSubject): Generator<Unknown> {
  const names = new Set([
    LOCAL_AUTHENTICATOR,
    ...subject.vocabulary.authenticators.map(({ name }) => name),
  ]);
  for (const expression of expressionsIn(json.conditions)) {
    const operands = (expression["=="] ?? expression["!="]) as ExpressionJson | undefined;
    if (operands === undefined) continue;
    for (const [one, other] of [
      [operands["left"], operands["right"]],
      [operands["right"], operands["left"]],
    ] as const) {
      const text = (other as ExpressionJson)["Value"];
      if (typeof text !== "string") continue;
      const path = pathOf(one as ExpressionJson);
      const owner = NAMED_BY.has(path) ? text : path === ACTOR_ID ? halves(text)[0] : undefined;
      if (owner === undefined || owner === NOBODY || names.has(owner)) continue;
      yield [text, `no authenticator is called "${owner}"`];
    }
  }
}

const NAMED_BY = new Set(["context.authn.authenticator", "context.actor.authenticator"]);
const ACTOR_ID = "context.actor.id";
/** Stands there for callers without a credential. */
const NOBODY = "";

/** `context.actor.id`; empty for anything but attributes of a variable. */
function pathOf(expression: ExpressionJson): string {
  const { Var: variable } = expression as { readonly Var?: string };
  if (variable !== undefined) return variable;
  const access = expression["."] as { readonly left: ExpressionJson; attr: string } | undefined;
  if (access === undefined) return "";
  const left = pathOf(access.left);
  return left === "" ? "" : `${left}.${access.attr}`;
}
