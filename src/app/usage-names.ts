/**
 * The book of usage for operators: who is redacted in the log has another name there, and is found by her own
 * while her key is there, as by the command line.
 */
import { pseudonymsOf } from "../audit/redact/pseudonyms-of.ts";
import type { UsageDesk } from "../limits/usage/usage-desk.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";

/** `folder`: of the audit log. */
export function namingUsage(
  desk: UsageDesk,
  folder: string,
  clock: Pick<Clock, "monotonic">,
): UsageDesk {
  const named = async (names: string | readonly string[]): Promise<readonly string[]> => {
    const own = typeof names === "string" ? [names] : names;
    try {
      return [...own, ...(await pseudonymsOf(own, folder, clock))];
    } catch (cause) {
      const message = "usage: the keys of redacted names cannot be read";
      throw new SallyportError("store-unavailable", message, { cause });
    }
  };
  return {
    async report(query) {
      const principal = query.only?.principal;
      if (principal === undefined) return await desk.report(query);
      return await desk.report({
        ...query,
        only: { ...query.only, principal: await named(principal) },
      });
    },
    async quotas(query) {
      const { principal } = query;
      if (principal === undefined) return await desk.quotas(query);
      return await desk.quotas({ ...query, principal: await named(principal) });
    },
  };
}
