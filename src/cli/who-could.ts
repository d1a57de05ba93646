/**
 * Who could get to which service by the policies of a configuration, of those who are known before any
 * comes: on which routes and by which actions, for certain or depending on more.
 */
import { answer } from "../policy/answers/answer.ts";
import { knownCallers } from "../policy/answers/known-callers.ts";
import { readSet } from "./policy-answers.ts";

/** One caller, as `policy who-can` names it, on one route. */
export interface Could {
  readonly service: string;
  readonly who: string;
  readonly route: string;
  readonly yes: readonly string[];
  /** On what, `sallyport policy who-can ACTION ROUTE` says. */
  readonly depends: readonly string[];
}

export interface WhoCould {
  /** Hash of the policies that were asked. */
  readonly bundle: string;
  readonly callers: readonly Could[];
}

/** Throws ConfigError where the configuration or its policies do not load. */
export async function whoCould(config: string, service: string | undefined): Promise<WhoCould> {
  const { subject, set, bundle } = await readSet(config);
  const callers: Could[] = [];
  for (const target of subject.targets) {
    if (target.service === undefined || target.issuing) continue;
    if (service !== undefined && target.service !== service) continue;
    for (const caller of knownCallers(subject, target)) {
      const may = target.actions.map(({ id }) => ({
        id,
        may: answer(set, caller, { target, action: id }).may,
      }));
      const ids = (wanted: string): readonly string[] =>
        may.filter((one) => one.may === wanted).map(({ id }) => id);
      const [yes, depends] = [ids("yes"), ids("depends")];
      if (yes.length + depends.length === 0) continue;
      const { who } = caller;
      callers.push({ service: target.service, who, route: target.name, yes, depends });
    }
  }
  return { bundle, callers };
}
