/**
 * A process to be killed: writes records into a log of its own and keeps the book of usage of the whole
 * folder while it does. Says on stdout how much it has committed. Used by usage-crash.test.ts.
 */
import { auditSchema } from "../src/audit/audit-options.ts";
import { createAuditLog } from "../src/audit/log.ts";
import { createUsageConsumer } from "../src/limits/usage/usage-consumer.ts";
import { usageSchema } from "../src/limits/usage/usage-options.ts";
import { systemClock } from "../src/platform/clock.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { completion, keepingLog, permit } from "./audit-kit.ts";
import { feed } from "./usage-kit.ts";

const [, , path = "", seed = "1"] = process.argv;
const deps = { clock: systemClock, log: keepingLog(), metrics: createMetrics() };
const log = await createAuditLog(auditSchema.parse({ path, reserve: "0B" }), deps);
const consumer = createUsageConsumer(usageSchema.parse({}), path, {
  ...deps,
  events: { event: () => undefined },
});

let state = Number(seed);
const random = (below: number): number => (state = (state * 16_807) % 2_147_483_647) % below;
const open: string[] = [];

for (let round = 0; ; round++) {
  for (let index = random(40); index >= 0; index--) {
    const decisionId = `${process.pid}-${round}-${index}`;
    const principal = { ...permit().principal, subject: `p${random(7)}` };
    const usage = { cost: random(3) / 2, plan: random(2) === 0 ? "gold" : undefined };
    log.decision(permit({ decisionId, principal, usage, timeMs: Date.now() } as never));
    open.push(decisionId);
  }
  for (let index = random(60); index >= 0 && open.length > 0; index--) {
    const [decisionId = ""] = open.splice(random(open.length), 1);
    const bytes = { requestBytes: random(1000), responseBytes: random(100_000) };
    log.completion(completion({ decisionId, ...bytes, timeMs: Date.now() }));
  }
  await log.durable("written");
  feed(consumer, path, 1 + random(50));
  if (random(3) === 0) consumer.commit();
  process.stdout.write(`${round}\n`);
}
