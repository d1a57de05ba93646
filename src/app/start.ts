/**
 * What `sallyport run` runs: one process, or a supervisor with workers where the configuration says so;
 * with the authority that it keeps, the one that it follows, or none.
 */
import { availableParallelism } from "node:os";
import { isKeeper } from "../authority/authority-options.ts";
import type { Log } from "../model/ports.ts";
import { startAuthority } from "./authority/authority.ts";
import { openFrontDesk } from "./front-desk.ts";
import { createInstruments } from "./instruments.ts";
import { createPreparer } from "./prepare.ts";
import {
  type PreparedSource,
  type Sallyport,
  startPrepared,
  type Surroundings,
} from "./sallyport.ts";
import { startSupervisor } from "./supervisor/supervisor.ts";

/** Throws what `startSallyport` throws, and SallyportError where the authority cannot be had. */
export async function start(file: string, log: Log): Promise<Sallyport> {
  const prepare = createPreparer(file);
  const prepared = await prepare();
  const { admin, authority } = prepared.loaded.config;
  const instruments = createInstruments(log);
  const desk = await openFrontDesk(admin, instruments, "starting");
  try {
    const backing = isKeeper(authority) ? await startAuthority(authority, instruments) : undefined;
    return await serve({ file, prepare, prepared }, { instruments, desk, backing });
  } catch (error) {
    await desk.close();
    throw error;
  }
}

async function serve(source: PreparedSource, around: Surroundings): Promise<Sallyport> {
  const { workers: written, listeners } = source.prepared.loaded.config;
  const workers = written === "auto" ? availableParallelism() : written;
  // Without a listener there is nothing that several could share.
  if (workers === 1 || listeners.length === 0) return await startPrepared(source, around);
  return await startSupervisor({ ...source, workers }, around);
}
