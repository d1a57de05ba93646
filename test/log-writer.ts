/** A process that logs when it is told to, and ends. Used by src/telemetry/stderr.test.ts. */
import { once } from "node:events";
import { systemClock } from "../src/platform/clock.ts";
import { createLog } from "../src/telemetry/log.ts";

const log = createLog({ level: "info", clock: systemClock });
process.stdout.write("ready");
await once(process.stdin, "data");
log.info("first");
log.info("second");
await log.close();
process.exit(7);
