/** Plans: those that are named have to be there, and somebody has to be able to have each. */
import { authenticatorWords } from "../identity/authenticator-options.ts";
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import type { UsageOptions } from "../limits/usage/usage-options.ts";
import { suggest } from "../model/suggest.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import type { Draft } from "./draft.ts";

export function checkUsage(draft: Draft): PathProblem[] {
  const usage = usageOf(draft);
  if (usage === undefined) return [];
  return [
    ...unknownPlan(usage, ["usage", "plan", "default"], usage.plan.default),
    ...unknownPlan(usage, ["usage", "plan", "anonymous"], usage.plan.anonymous),
    ...attributeProblems(usage, draft),
  ];
}

export function checkUsageWarnings(draft: Draft): PathProblem[] {
  const usage = usageOf(draft);
  if (usage === undefined) return costsForNothing(draft);
  return [...plansOfNobody(usage), ...anonymousOfNobody(usage, draft)];
}

function usageOf({ config, own }: Draft): UsageOptions | undefined {
  return config?.usage ?? own?.usage;
}

function unknownPlan({ plans }: UsageOptions, path: Path, name: string | undefined): PathProblem[] {
  if (name === undefined || plans[name] !== undefined) return [];
  const names = Object.keys(plans);
  const close = suggest(name, new Set(names));
  const others = names.length === 0 ? "declare it under usage.plans" : `one of ${names.join(", ")}`;
  const remedy = close === undefined ? others : `did you mean "${close}"?`;
  return [{ path, message: `there is no plan "${name}"`, remedy }];
}

/** Only where all authenticators are at hand: a follower's come over the feed. */
function attributeProblems({ plan }: UsageOptions, draft: Draft): PathProblem[] {
  const { attribute } = plan;
  if (attribute === undefined || draft.config === undefined) return [];
  const declared = draft.authenticators.map(
    ({ options }) => authenticatorWords(options).attributes,
  );
  const types = new Set(declared.flatMap((attributes) => attributes[attribute] ?? []));
  const path: Path = ["usage", "plan", "attribute"];
  if (types.size === 0) {
    const close = suggest(attribute, new Set(declared.flatMap((one) => Object.keys(one))));
    const message = `no authenticator declares the attribute "${attribute}"`;
    const remedy =
      close === undefined ? "an attribute that one declares" : `did you mean "${close}"?`;
    return [{ path, message, remedy }];
  }
  if (types.has("string")) return [];
  const message = `the attribute "${attribute}" is ${[...types].join(" and ")}, and names of plans are texts`;
  return [{ path, message, remedy: "an attribute of type string" }];
}

function plansOfNobody({ plans, plan }: UsageOptions): PathProblem[] {
  if (plan.attribute !== undefined) return [];
  return Object.keys(plans)
    .filter((name) => name !== plan.default && name !== plan.anonymous)
    .map((name) => ({
      path: ["usage", "plans", name],
      message: `nobody can be on the plan "${name}"`,
      remedy: "usage.plan.attribute, which says who is on which plan, or make it the default",
    }));
}

function anonymousOfNobody({ plan }: UsageOptions, { routes, config }: Draft): PathProblem[] {
  if (plan.anonymous === undefined || config === undefined) return [];
  if (routes.some(({ options }) => options.authenticate.includes(ANONYMOUS_NAME))) return [];
  const message = "no route takes callers without an identity, so nobody is on this plan";
  return [{ path: ["usage", "plan", "anonymous"], message, remedy: "leave it out" }];
}

/** An authority's routes may count at proxies that have the section. */
function costsForNothing({ routes, config, listeners }: Draft): PathProblem[] {
  if (config === undefined || listeners.length === 0) return [];
  const first = routes.find(({ options }) => options.cost !== undefined);
  if (first === undefined) return [];
  const message = "cost units are counted with the section usage, which is not there";
  return [{ path: [...first.path, "cost"], message, remedy: "usage: {}" }];
}
