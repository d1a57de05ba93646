/**
 * `sallyport run`: the proxy, until SIGTERM or SIGINT. Prints one line per listener once it accepts
 * connections. A first signal lets what is in flight end; a second one ends at once. SIGHUP reads the
 * configuration again; one that does not validate leaves the running one in force.
 */
import { type Sallyport, startSallyport } from "../app/sallyport.ts";
import type { Log } from "../model/ports.ts";
import { systemClock } from "../platform/clock.ts";
import { createLog } from "../telemetry/log.ts";

/** Resolves to the exit code when the proxy has ended. Throws what `startSallyport` throws. */
export async function run(file: string): Promise<number> {
  const log = createLog({ level: "info", clock: systemClock });
  const sallyport = await startSallyport(file, log);
  for (const { name, address } of sallyport.listeners) {
    process.stdout.write(`listening  ${name}  http://${address}\n`);
  }
  if (sallyport.admin !== undefined) {
    process.stdout.write(`listening  admin  http://${sallyport.admin}\n`);
  }
  const hangUp = reloader(sallyport, log);
  process.on("SIGHUP", hangUp);
  const signal = await firstSignal();
  process.off("SIGHUP", hangUp);
  log.info("stopping: no new requests, what is in flight may end", { signal });
  const atOnce = firstSignal();
  await Promise.race([sallyport.close(), atOnce.then(() => sallyport.close(0))]);
  await log.close();
  return 0;
}

/** One reload at a time: a signal that comes meanwhile waits for its turn. */
function reloader(sallyport: Sallyport, log: Log): () => void {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last
      .then(() => sallyport.reload())
      .then(() => log.info("reloaded: the new configuration is in force"))
      .catch((error: unknown) => {
        log.error("not reloaded: the running configuration stays in force", {
          error: error instanceof Error ? error : new Error(String(error)),
        });
      });
  };
}

function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string): void => {
      process.off("SIGTERM", stop);
      process.off("SIGINT", stop);
      resolve(signal);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
