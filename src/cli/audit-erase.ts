/**
 * `sallyport audit erase`: throws away the key of one person's redacted values. It is on record first,
 * by the pseudonym alone; then the key goes.
 */
import { auditSchema } from "../audit/audit-options.ts";
import { readValueKey } from "../audit/folder.ts";
import { createAuditLog } from "../audit/log.ts";
import { PersonKeys } from "../audit/redact/person-keys.ts";
import { personOf, personPseudonym } from "../audit/redact/pseudonym.ts";
import { readFilter } from "../audit/search/read-filter.ts";
import { SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { createLog } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { folderOf, type LogOptions, type Said } from "./audit-search.ts";

export interface EraseOptions extends LogOptions {
  readonly principal: string;
}

/** 0: erased; 1: there is no key of that person. Throws SallyportError and ConfigError. */
export async function auditErase(options: EraseOptions, said: Said): Promise<number> {
  const { principals } = readFilter({ principal: [options.principal] }, systemClock.now());
  const person = personOf(principals[0] ?? "");
  const folder = folderOf(options);
  const valuesKey = await readValueKey(folder);
  if (valuesKey === undefined) {
    // "There is no key of that person" would be taken for an erasure.
    const what = "has no values.key, so it is no folder in which somebody can be erased";
    throw new SallyportError("audit-failed", `audit: ${folder} ${what}; name that of the log`);
  }
  const keys = new PersonKeys(folder, valuesKey, systemClock);
  const key = person && keys.find(person);
  if (person === undefined || key === undefined) {
    said.hint("there is no key of that person: nothing was redacted, or it was erased before");
    return 1;
  }
  const pseudonym = personPseudonym(key, person);
  await record(folder, pseudonym);
  keys.erase(person);
  said.write(`erased: ${pseudonym}\n`);
  return 0;
}

/** In a segment of its own, on disk before this returns. */
async function record(folder: string, principal: string): Promise<void> {
  const log = createLog({ level: "warn", clock: systemClock });
  const audit = await createAuditLog(auditSchema.parse({ path: folder, reserve: "0B" }), {
    clock: systemClock,
    log,
    metrics: createMetrics(),
    instance: `${process.pid}-erase`,
  });
  audit.event({
    timeMs: systemClock.now(),
    event: "person-erased",
    detail: "the key of one person's redacted values was thrown away",
    principal,
  });
  await audit.close();
  await log.close();
}
