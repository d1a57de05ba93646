/** What `sallyport run` runs: one process, or a supervisor with workers where the configuration says so. */
import { availableParallelism } from "node:os";
import type { Log } from "../model/ports.ts";
import { createPreparer } from "./prepare.ts";
import { type Sallyport, startPrepared } from "./sallyport.ts";
import { startSupervisor } from "./supervisor/supervisor.ts";

/** Throws what `startSallyport` throws. */
export async function start(file: string, log: Log): Promise<Sallyport> {
  const prepare = createPreparer(file);
  const prepared = await prepare();
  const { workers: written } = prepared.loaded.config;
  const workers = written === "auto" ? availableParallelism() : written;
  const options = { file, prepare, prepared };
  if (workers === 1) return await startPrepared(options, log);
  return await startSupervisor({ ...options, workers }, log);
}
