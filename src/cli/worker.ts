/** `sallyport worker`: what a supervisor starts. Nobody types it. */
import { startWorker } from "../app/supervisor/worker.ts";
import { systemClock } from "../platform/clock.ts";
import { createLog } from "../telemetry/log.ts";
import { logLevel } from "./log-level.ts";

export async function worker(socket: string, number: number): Promise<number> {
  const log = createLog({ level: logLevel(process.env), clock: systemClock });
  const running = startWorker({ socket, number }, log);
  let told = false;
  const stop = (): void => {
    running.drain(told);
    told = true;
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Its supervisor reloads; without this the system would end the process.
  process.on("SIGHUP", () => {});
  const code = await running.ended;
  await log.close();
  return code;
}
