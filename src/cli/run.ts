/**
 * `sallyport run`: the proxy, until SIGTERM or SIGINT. Prints one line per listener once it accepts
 * connections. A first signal lets what is in flight end; a second one ends at once. SIGHUP reads the
 * configuration again; one that does not validate leaves the running one in force.
 */
import type { Sallyport } from "../app/sallyport.ts";
import { start } from "../app/start.ts";
import { systemClock } from "../platform/clock.ts";
import { createLog } from "../telemetry/log.ts";
import { logLevel } from "./log-level.ts";
import { firstSignal } from "./first-signal.ts";

/** Resolves to the exit code when the proxy has ended. Throws what `startSallyport` throws. */
export async function run(file: string): Promise<number> {
  const log = createLog({ level: logLevel(process.env), clock: systemClock });
  const sallyport = await start(file, log);
  // What a reload fails with is in the log by then.
  const hangUp = (): void => void sallyport.reload().catch(() => {});
  // Before anybody reads that we are there, and sends a signal: without these it would end us.
  process.on("SIGHUP", hangUp);
  const signalled = firstSignal();
  // At once: whoever waits for one of the lines may read the others.
  process.stdout.write(placesOf(sallyport));
  const asked = sallyport.drainAsked.then(() => "asked for over the admin API");
  const signal = await Promise.race([signalled, asked]);
  // Before it is said: whoever reads it may send the second one at once.
  const again = firstSignal();
  log.info("stopping: no new requests, what is in flight may end", { signal });
  void again.then((second) => {
    log.warn("stopping at once: what is in flight is cut off", { signal: second });
    return sallyport.close({ atOnce: true });
  });
  await sallyport.close();
  // Until here: a hang-up while it ends must not kill it, which is what the system would do.
  process.off("SIGHUP", hangUp);
  await log.close();
  return 0;
}

function placesOf({ listeners, adminScheme, admin }: Sallyport): string {
  const places = listeners.map(({ name, scheme, address }) => {
    // The sidecar may listen at a file.
    const place = address.startsWith("/") ? `unix:${address}` : `${scheme}://${address}`;
    return `listening  ${name}  ${place}\n`;
  });
  if (admin !== undefined) places.push(`listening  admin  ${adminScheme}://${admin}\n`);
  return `running  pid  ${process.pid}\n${places.join("")}`;
}
