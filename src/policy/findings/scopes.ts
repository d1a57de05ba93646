/** What scopes of policies say of each other, without asking about any request. */
import type { Scope } from "../cedar/compile-policy.ts";
import type { EntityUid } from "../cedar/values.ts";

/** Keys of what an entity is known to be in, whoever asks; itself left out. */
export type Ancestors = (uid: EntityUid) => ReadonlySet<string>;

/** Whether everything in `narrow` is certain to be in `wide`. False where that is not known. */
export function covers(wide: Scope, narrow: Scope, ancestors: Ancestors): boolean {
  if (wide.kind === "all") return true;
  const inside = (below: EntityUid, above: EntityUid): boolean =>
    below.key === above.key || ancestors(below).has(above.key);
  if (wide.kind === "is") return "type" in narrow ? narrow.type === wide.type : isOf(narrow, wide);
  if (wide.kind === "equals") return narrow.kind === "equals" && narrow.uid.key === wide.uid.key;
  const targets = wide.kind === "in" ? wide.uids : [wide.uid];
  const within = (below: EntityUid): boolean => targets.some((above) => inside(below, above));
  if (wide.kind === "is-in") {
    if (narrow.kind === "is-in") return narrow.type === wide.type && within(narrow.uid);
    return narrow.kind === "equals" && narrow.uid.type === wide.type && within(narrow.uid);
  }
  if (narrow.kind === "equals" || narrow.kind === "is-in") return within(narrow.uid);
  return narrow.kind === "in" && narrow.uids.every(within);
}

function isOf(narrow: Scope, wide: { readonly type: string }): boolean {
  return narrow.kind === "equals" && narrow.uid.type === wide.type;
}

/** By it, scopes that can cover another are found without asking each: `slotsAbove`. */
export function slotOf(scope: Scope): string {
  if (scope.kind === "all") return "*";
  if (scope.kind === "is") return `:${scope.type}`;
  if (scope.kind === "equals") return `=${scope.uid.key}`;
  if (scope.kind === "is-in") return `${scope.type}<${scope.uid.key}`;
  return `<${scope.uids.map(({ key }) => key).join("|")}`;
}

/** Slots of all scopes that `covers` can be true of, for a scope of one entity at most. */
export function slotsAbove(scope: Scope, ancestors: Ancestors): readonly string[] {
  if (scope.kind === "all") return ["*"];
  if (scope.kind === "is") return ["*", `:${scope.type}`];
  const uids = scope.kind === "in" ? scope.uids : [scope.uid];
  const above = uids.flatMap((uid) => [uid.key, ...ancestors(uid)]);
  const within = above.map((key) => `<${key}`);
  if (scope.kind === "in") return ["*", ...within];
  const type = scope.kind === "equals" ? scope.uid.type : scope.type;
  const typed = ["*", `:${type}`, ...within, ...above.map((key) => `${type}<${key}`)];
  return scope.kind === "equals" ? [...typed, `=${scope.uid.key}`] : typed;
}
