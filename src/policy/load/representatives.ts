/**
 * For which actions a policy is validated. The official validator's cost is policies × actions × principal
 * types, and with OpenAPI documents there are hundreds of actions: what is the same for the validator is
 * asked once.
 *
 * Two actions are the same for a policy when both are within its scope, its conditions cannot tell them
 * apart (each action and group that it names is above both or above neither), and, where it speaks of
 * parameters, their contexts have the same type. All else in the contexts of actions on routes is alike, and
 * so it is on the admin API. To issue a key is an action by itself, with a context of its own.
 */
import { ADMIN, ADMIN_RESOURCE } from "../../model/admin-operations.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { ACTIONS, ADMIN_ACTIONS, isAdminAction } from "../cedar-names.ts";
import { uidFromJson, type PolicyJson } from "../cedar/policy-json.ts";
import { contextShape, operationActions } from "../operation-actions.ts";
import { type Statement, unescapeString } from "./policy-text.ts";

/** A policy as far as it is looked at here. */
export interface RepresentedPolicy {
  readonly json: Pick<PolicyJson, "effect" | "action">;
  readonly statement: Statement;
}

interface KnownAction {
  readonly id: string;
  /** Of all that it is in, and its own. */
  readonly within: ReadonlySet<string>;
  readonly shape: string;
}

/** Returns the actions to validate a policy for; undefined where all have to be looked at. */
export function createRepresentatives(
  vocabulary: Vocabulary,
): (policy: RepresentedPolicy) => readonly string[] | undefined {
  const known = (id: string, above: readonly string[], shape = ""): KnownAction => ({
    id,
    within: new Set([id, ...above]),
    shape,
  });
  const onRoutes = [
    ...ACTIONS.map(({ id, group }) => known(id, [group])),
    ...operationActions(vocabulary).map(({ id, ancestors, operation }) =>
      known(id, ancestors, contextShape(operation)),
    ),
  ];
  const onAdmin = ADMIN_ACTIONS.map(({ id, group }) => known(id, [group, ADMIN]));
  return ({ json, statement }) => {
    const scope = json.action;
    if (scope.op === "is") return undefined;
    const alsoAdmin = scope.op !== "All" || (json.effect === "forbid" && speaksOfAdmin(statement));
    const signature = createSignature(statement);
    const each = [
      ...firstOfEach(withinScope(scope, onRoutes), signature),
      ...(alsoAdmin ? firstOfEach(withinScope(scope, onAdmin), signature) : []),
      ...(scope.op !== "All" || speaksOfIssuing(statement)
        ? firstOfEach(withinScope(scope, ISSUING), signature)
        : []),
    ];
    // Names of actions that do not exist are found for any.
    return each.length === 0 ? undefined : each;
  };
}

/**
 * Whether a policy without an action in its scope is written with keys in mind: it names the action, or
 * asks whether the resource is a service, which it is of no other action.
 */
export function speaksOfIssuing({ tokens }: Statement): boolean {
  return tokens.some(({ kind, text }, index) => {
    if (kind === "string") return unescapeString(text) === ISSUE_KEY_ACTION;
    if (text !== "Service" || tokens[index - 1]?.text !== ":") return false;
    const operator = tokens[index - 4];
    return operator?.text === "is" || operator?.text === "=";
  });
}

const ISSUING: readonly KnownAction[] = [
  { id: ISSUE_KEY_ACTION, within: new Set([ISSUE_KEY_ACTION]), shape: ISSUE_KEY_ACTION },
];

export function speaksOfAdmin({ tokens }: Statement): boolean {
  return tokens.some(
    ({ kind, text }, index) =>
      (kind === "string" && isAdminAction(text.slice(1, -1))) ||
      (text === ADMIN_RESOURCE.type && tokens[index - 1]?.text === ":"),
  );
}

function withinScope(
  scope: Exclude<PolicyJson["action"], { readonly op: "is" }>,
  actions: readonly KnownAction[],
): readonly KnownAction[] {
  if (scope.op === "All") return actions;
  const named = scope.entities ?? (scope.entity === undefined ? [] : [scope.entity]);
  const ids = named.map((uid) => uidFromJson(uid).id);
  if (scope.op === "==") return actions.filter(({ id }) => ids.includes(id));
  return actions.filter(({ within }) => ids.some((id) => within.has(id)));
}

function firstOfEach(
  actions: readonly KnownAction[],
  signature: (action: KnownAction) => string,
): readonly string[] {
  const first = new Map<string, string>();
  for (const action of actions) {
    const key = signature(action);
    if (!first.has(key)) first.set(key, action.id);
  }
  return [...first.values()];
}

/** What of an action the conditions of a policy can see. */
function createSignature({ tokens }: Statement): (action: KnownAction) => string {
  const texts = tokens.flatMap(({ kind, text }) => (kind === "string" ? [text.slice(1, -1)] : []));
  // An escape could hide any name.
  const hidden = texts.some((text) => text.includes("\\"));
  const parameters =
    hidden ||
    texts.includes("parameters") ||
    tokens.some(({ kind, text }) => kind === "identifier" && text === "parameters");
  // Once it is the scope's.
  const looks = tokens.filter(({ text, kind }) => kind === "identifier" && text === "action");
  if (looks.length <= 1) return parameters ? ({ shape }) => shape : () => "";
  const names = [...new Set(texts)];
  return ({ id, within, shape }) => {
    if (hidden) return id;
    // Which of them it is, or is in: `==` and `in` are two questions.
    const seen = names.map((name) => (name === id ? "=" : within.has(name) ? "<" : "-")).join("");
    return parameters ? `${seen} ${shape}` : seen;
  };
}
