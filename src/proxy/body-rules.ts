/** The changes of a route to bodies, compiled: what is edited, of which messages, for which request. */
import type { Permit } from "../gate/decision.ts";
import type { BodyChanges } from "../gate/body-options.ts";
import type { Fields } from "../model/http.ts";
import { jsonBodyFault, NOT_JSON } from "../wire/json-body.ts";
import type { JsonEdit } from "../wire/json-edit.ts";
import type { HeaderRules } from "./plan.ts";
import { renderJson, Unfit } from "./render.ts";

/** One direction of one route. */
export interface BodyRule {
  /** Most bytes, before and after. */
  readonly limit: number;
  /** Whether bodies that are not JSON go on as they are. */
  readonly passOthers: boolean;
  edit(permit: Permit): JsonEdit | Unfit;
}

export interface BodyRules {
  readonly request: BodyRule | undefined;
  readonly response: BodyRule | undefined;
}

/** One direction of one exchange. */
export interface BodyWork {
  readonly rule: BodyRule;
  readonly edit: JsonEdit;
}

/** Both directions of one exchange. */
export interface BodyWorks {
  readonly onRequest: BodyWork | undefined;
  readonly onResponse: BodyWork | undefined;
}

/** What becomes of a message, by its head. `fault`: it has to be edited and cannot be. */
export type BodyVerdict = "edit" | "pass" | { readonly fault: string };

/** Fields that describe a body which is not the one that goes on (RFC 9530, RFC 1864). */
export const DIGEST_FIELDS = ["content-digest", "content-md5", "digest", "repr-digest"] as const;

/** The rules of a route whose answers are changed: asked for whole, and without a coding. */
export function forWholeAnswers(rules: HeaderRules): HeaderRules {
  const remove = [...rules.remove, "range", "if-range"];
  return { ...rules, remove, set: [...rules.set, "accept-encoding", "identity"] };
}

/** Undefined where the route leaves bodies alone. */
export function createBodyRules(
  request: BodyChanges | undefined,
  response: BodyChanges | undefined,
): BodyRules | undefined {
  if (request === undefined && response === undefined) return undefined;
  return { request: createRule(request), response: createRule(response) };
}

/** What is to be done for one permitted request. */
export function bodyWorks(rules: BodyRules, permit: Permit): BodyWorks | Unfit {
  const onRequest = workOf(rules.request, permit);
  const onResponse = workOf(rules.response, permit);
  if (onRequest instanceof Unfit) return onRequest;
  return onResponse instanceof Unfit ? onResponse : { onRequest, onResponse };
}

function workOf(rule: BodyRule | undefined, permit: Permit): BodyWork | undefined | Unfit {
  if (rule === undefined) return undefined;
  const edit = rule.edit(permit);
  return edit instanceof Unfit ? edit : { rule, edit };
}

export function judgeBody(fields: Fields, rule: BodyRule): BodyVerdict {
  const fault = jsonBodyFault(fields);
  if (fault === undefined) return "edit";
  // What is packed cannot be looked into; a type of ours says that it would have to be.
  return fault === NOT_JSON && rule.passOthers ? "pass" : { fault };
}

function createRule(changes: BodyChanges | undefined): BodyRule | undefined {
  if (changes === undefined) return undefined;
  const { limit, others, rename = [], remove = [], set = [] } = changes;
  const constant = set.flatMap(({ at, text }) => (text === undefined ? [] : [{ at, text }]));
  const passOthers = others === "pass";
  if (constant.length === set.length) {
    const edit: JsonEdit = { rename, remove, set: constant };
    return { limit, passOthers, edit: () => edit };
  }
  return {
    limit,
    passOthers,
    edit(permit) {
      const gone = [...remove];
      const placed: { at: (typeof set)[number]["at"]; text: string }[] = [];
      for (const { key, at, text, value } of set) {
        const json = text ?? renderJson(value, permit);
        if (json instanceof Unfit) return new Unfit(`body ${key}: ${json.detail}`);
        // What the caller put in the place of something absent must not stay there.
        if (json === undefined) gone.push(at);
        else placed.push({ at, text: json });
      }
      return { rename, remove: gone, set: placed };
    },
  };
}
