/**
 * Limits of routes: the shared rates that they name, the attributes that they count by, and what machines
 * have in common where they, or quotas, count across them.
 */
import { authenticatorWords } from "../identity/authenticator-options.ts";
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import type { LimitBy, SharedRate } from "../limits/limit-options.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { suggest } from "../model/suggest.ts";

export function checkLimits(draft: Draft): PathProblem[] {
  const shared = draft.limits?.rates ?? {};
  const named = Object.entries(shared).flatMap(([name, rate]) =>
    acrossProblems(rate, ["limits", "rates", name], draft),
  );
  const ofRoutes = draft.routes.flatMap(({ path, options }) => {
    const rates = (options.limit ?? []).flatMap((rate, index) => {
      const at = [...path, "limit", index];
      if (typeof rate !== "string") {
        return [
          ...byProblems(rate.by, at, options.authenticate, draft),
          ...acrossProblems(rate, at, draft),
        ];
      }
      const known = shared[rate];
      if (known === undefined) return draft.limits === undefined ? [] : [unknown(rate, at, shared)];
      return byProblems(known.by, at, options.authenticate, draft);
    });
    const concurrency = (options.concurrency ?? []).flatMap((one, index) => {
      const at = [...path, "concurrency", index];
      return byProblems(one.by, at, options.authenticate, draft);
    });
    return [...rates, ...concurrency];
  });
  return [...named, ...ofRoutes, ...quotaProblems(draft)];
}

function quotaProblems({ config, own, listeners }: Draft): PathProblem[] {
  const { usage, shared } = config ?? own ?? {};
  if (usage?.across !== "cluster" || shared !== undefined) return [];
  if (listeners.length === 0) return [];
  const message = "quotas count across machines, and they have nothing in common";
  return [{ path: ["usage", "across"], message, remedy: "shared.redis" }];
}

/** An authority that serves no requests hands its routes on to proxies, each of which has a `shared` of its own. */
function acrossProblems(
  { across, whenAway }: SharedRate,
  path: Path,
  { config, listeners }: Draft,
): PathProblem[] {
  if (across === "machine") {
    if (whenAway === undefined) return [];
    const message = "there is nothing that could be away: the limit counts on this machine";
    return [{ path: [...path, "whenAway"], message, remedy: "across: cluster" }];
  }
  if (config === undefined || config.shared !== undefined || listeners.length === 0) return [];
  const message = "the limit counts across machines, and they have nothing in common";
  return [{ path: [...path, "across"], message, remedy: "shared.redis" }];
}

function unknown(name: string, path: Path, shared: object): PathProblem {
  const names = Object.keys(shared);
  const close = suggest(name, new Set(names));
  const others =
    names.length === 0 ? "declare it under limits.rates" : `one of ${names.join(", ")}`;
  const remedy = close === undefined ? others : `did you mean "${close}"?`;
  return { path, message: `there is no shared rate "${name}"`, remedy };
}

/** Who lacks the attribute would be counted with everybody else who does. */
function byProblems(
  by: LimitBy,
  path: Path,
  authenticate: readonly string[],
  draft: Draft,
): PathProblem[] {
  if (typeof by === "string") return [];
  const { attribute } = by;
  const named = authenticate.filter((name) => name !== ANONYMOUS_NAME);
  if (named.length === 0) {
    const message = `the limit counts by the attribute "${attribute}", and callers of this route have none`;
    return [{ path, message, remedy: "by: address" }];
  }
  return named.flatMap((name) => {
    const found = draft.authenticators.find((one) => one.name === name);
    if (found === undefined) return [];
    const declared = Object.keys(authenticatorWords(found.options).attributes);
    if (declared.includes(attribute)) return [];
    const close = suggest(attribute, new Set(declared));
    const message = `the limit counts by the attribute "${attribute}", which the authenticator "${name}" does not declare`;
    const remedy =
      close === undefined ? "an attribute that it declares" : `did you mean "${close}"?`;
    return [{ path, message, remedy }];
  });
}
