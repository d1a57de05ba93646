/**
 * Reads the book for who asks over HTTP, in a thread of its own: a month of many callers is millions of
 * rows, and this thread serves. One question at a time; a few may wait.
 */
import { Worker } from "node:worker_threads";
import { SallyportError } from "../../model/errors.ts";
import { nextMessage } from "../../platform/thread-message.ts";
import type { QuotaStanding, StandingsQuery } from "./quota-standings.ts";
import { usageFile } from "./usage-database.ts";
import type { UsageOptions } from "./usage-options.ts";
import type { UsageQuery, UsageRow } from "./usage-report.ts";

const LIMITS = {
  /** Questions that wait: each holds its request. */
  waiting: 16,
} as const;

export interface UsageDesk {
  /** Rejects with SallyportError `store-unavailable`. */
  report(query: UsageQuery): Promise<readonly UsageRow[]>;
  quotas(
    query: Pick<StandingsQuery, "principal" | "limit" | "after" | "nowMs">,
  ): Promise<readonly QuotaStanding[]>;
}

/** What the thread is asked. */
export type UsageTask = { readonly file: string } & (
  | { readonly kind: "report"; readonly query: UsageQuery }
  | { readonly kind: "quotas"; readonly query: StandingsQuery }
);

export type UsageAnswer =
  | { readonly rows: readonly UsageRow[] | readonly QuotaStanding[] }
  | { readonly failed: string };

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

export function createUsageDesk(options: UsageOptions, auditFolder: string): UsageDesk {
  const file = usageFile(options, auditFolder);
  const { plans } = options;
  const ask = inTurn(answerOf);
  return {
    report: async (query) => (await ask({ file, kind: "report", query })) as readonly UsageRow[],
    quotas: async (query) =>
      (await ask({
        file,
        kind: "quotas",
        query: { ...query, plans },
      })) as readonly QuotaStanding[],
  };
}

type Ask = (task: UsageTask) => Promise<readonly unknown[]>;

function inTurn(ask: Ask): Ask {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (task) => {
    if (waiting >= LIMITS.waiting) {
      throw new SallyportError("store-unavailable", "usage: too many ask for it now; ask again");
    }
    waiting += 1;
    const own = last.then(() => ask(task));
    last = own.catch(() => undefined);
    try {
      return await own;
    } finally {
      waiting -= 1;
    }
  };
}

async function answerOf(task: UsageTask): Promise<readonly unknown[]> {
  const thread = new Worker(new URL(`./usage-desk-worker${EXTENSION}`, import.meta.url), {
    workerData: task,
  });
  try {
    const answer = await nextMessage<UsageAnswer>(thread, noAnswer);
    if ("failed" in answer) throw new SallyportError("store-unavailable", answer.failed);
    return answer.rows;
  } finally {
    await thread.terminate();
  }
}

function noAnswer(cause: unknown): SallyportError {
  const message = "usage: the thread that reads it ended without an answer";
  return new SallyportError("store-unavailable", message, { cause });
}
