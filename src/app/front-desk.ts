/**
 * Where operators are answered: open before anything else is, so that a process that still starts says
 * so, and what it says changes by one assignment once it runs.
 */
import { createHealthHandler, type HealthDeps } from "../admin/health.ts";
import type { Config } from "../config/schema.ts";
import type { ExchangeHandler } from "../http/exchange.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { listen, type Listener } from "../http/listener.ts";
import type { Instruments } from "./instruments.ts";
import { textOf } from "./listener-set.ts";

export interface FrontDesk {
  /** Where it answers; undefined where no address is configured. */
  readonly address: string | undefined;
  /** From now on this one answers. */
  answer(handler: ExchangeHandler): void;
  close(): Promise<void>;
}

/** `waiting`: what readiness says until `answer` is called. Rejects with `listen-failed`. */
export async function openFrontDesk(
  admin: Config["admin"],
  instruments: Instruments,
  waiting: string,
): Promise<FrontDesk> {
  let current = createHealthHandler(startingHealth(instruments, waiting));
  const handler: ExchangeHandler = {
    request: (exchange) => current.request(exchange),
    malformed: (fault) => current.malformed(fault),
  };
  const listener = await openListener(admin, instruments, handler);
  return {
    address: listener === undefined ? undefined : textOf(listener.address),
    answer(next) {
      current = next;
    },
    close: async () => await listener?.close(0),
  };
}

function startingHealth({ metrics }: Instruments, waiting: string): HealthDeps {
  return {
    readiness: () => ({ ready: false, checks: { listeners: waiting } }),
    metrics: (accept) => metrics.render(accept),
  };
}

async function openListener(
  admin: Config["admin"],
  { clock, deadlines, log }: Instruments,
  handler: ExchangeHandler,
): Promise<Listener | undefined> {
  if (admin?.address === undefined) return undefined;
  const options = listenerSchema.parse({ name: "admin", address: admin.address });
  return await listen(options, { clock, deadlines, log, handler });
}
