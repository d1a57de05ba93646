/**
 * What `sallyport run` runs: one process, or a supervisor with workers where the configuration says so;
 * with the authority that it keeps, the one that it follows, or none. Loads only those of these parts that
 * the configuration asks for.
 */
import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import { isKeeper } from "../authority/authority-options.ts";
import { loadOwn, type LoadedOwn } from "../config/load.ts";
import { peekBundle } from "../config/peek-bundle.ts";
import type { Config } from "../config/schema.ts";
import type { AdjustableLog } from "../model/ports.ts";
import { fetchBundle } from "../policy/bundle/bundle-fetcher.ts";
import type { Backing } from "./authority/backing.ts";
import { createStanding } from "./authority/standing.ts";
import { createPolicyFetching } from "./fetched-policies.ts";
import { type FrontDesk, openFrontDesk } from "./front-desk.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { createPreparer, type Prepared } from "./prepare.ts";
import {
  type Backed,
  type PreparedSource,
  type Sallyport,
  startPrepared,
  type Surroundings,
} from "./sallyport.ts";

/** Throws what `startSallyport` throws, and SallyportError where the authority cannot be had. */
export async function start(file: string, log: AdjustableLog): Promise<Sallyport> {
  const own = await loadOwn(file);
  return own === undefined ? await startOwn(file, log) : await startFollower(own, log);
}

const STARTING = "starting";

/** What is written in the file is all there is, with an authority in this process or without one. */
async function startOwn(file: string, log: AdjustableLog): Promise<Sallyport> {
  const instruments = createInstruments(log);
  const fetching = createPolicyFetching({
    ...instruments,
    random: Math.random,
    wanted: () => peekBundle(file, process.env),
    wait: async (ms) => await setTimeout(ms),
    fetch: fetchBundle,
  });
  const prepareAtHand = createPreparer(file, { beforeServing: true });
  const prepare = async (): Promise<Prepared> => {
    await fetching.ready();
    return await prepareAtHand();
  };
  const prepared = await prepare();
  const { config } = prepared.loaded;
  const { authority } = config;
  log.adjust(config.log);
  const sallyport = await behindDesk(config, { instruments, waiting: STARTING }, async (desk) => {
    const source = { file, prepare, prepared };
    if (!isKeeper(authority)) return await serve(source, { instruments, desk });
    const { startAuthority } = await import("./authority/authority.ts");
    const backing = await startAuthority(authority, instruments, (text) => desk.waitsFor(text));
    desk.waitsFor(STARTING);
    const backed = stand(backing, instruments, workersOf(prepared) !== 1);
    return await serve(source, { instruments, desk, backed });
  });
  fetching.follow(async () => await sallyport.reload());
  return endingWith(sallyport, () => fetching.stop());
}

/** The same, which ends something else with it. */
function endingWith(sallyport: Sallyport, end: () => void): Sallyport {
  return {
    get listeners() {
      return sallyport.listeners;
    },
    get admin() {
      return sallyport.admin;
    },
    get adminScheme() {
      return sallyport.adminScheme;
    },
    drainAsked: sallyport.drainAsked,
    reload: async () => await sallyport.reload(),
    async close(options) {
      end();
      await sallyport.close(options);
    },
  };
}

/** Listens once a first configuration has come over the feed; until then it says that it waits. */
async function startFollower(own: LoadedOwn, log: AdjustableLog): Promise<Sallyport> {
  log.adjust(own.config.log);
  const instruments = createInstruments(log);
  const waiting = "waiting for a configuration from the authority";
  const around = { instruments, waiting };
  return await behindDesk(own.config, around, async (desk) => {
    const { openFollowing } = await import("./authority/following.ts");
    const backing = await openFollowing(own, instruments);
    const backed = stand(backing, instruments, own.config.workers !== 1);
    const prepared = await backing.begin().catch(async (error: unknown) => {
      backed.stop();
      await backing.close();
      throw error;
    });
    const { file } = own;
    const { prepare } = backing;
    const sallyport = await serve({ file, prepare, prepared }, { instruments, desk, backed });
    backing.serve(() => sallyport.reload());
    return sallyport;
  });
}

async function behindDesk(
  config: Pick<Config, "admin" | "workloadApi">,
  { instruments, waiting }: { readonly instruments: Instruments; readonly waiting: string },
  run: (desk: FrontDesk) => Promise<Sallyport>,
): Promise<Sallyport> {
  const desk = await openFrontDesk(config, instruments, waiting);
  try {
    return await run(desk);
  } catch (error) {
    await desk.close();
    throw error;
  }
}

/** Before anything is served, so that the first request is decided by all that is known. */
export function stand(backing: Backing, instruments: Instruments, shared = false): Backed {
  const standing = createStanding(backing, instruments);
  const unfollow = backing.follow(standing);
  const signing = backing.signing({ shared, standing });
  const { revocations } = backing.registers ?? {};
  if (revocations !== undefined) {
    instruments.ending.revoke = async (target, expiresMs) => {
      await revocations.revoke(target, { mode: "revoke", expiresMs, by: "sessions" });
    };
    instruments.ending.takeAway = async (target, options) =>
      await revocations.revoke(target, { ...options, by: "signs" });
  }
  return {
    backing,
    standing,
    signing,
    stop() {
      signing.close();
      unfollow();
      standing.close();
    },
  };
}

async function serve(source: PreparedSource, around: Surroundings): Promise<Sallyport> {
  const workers = workersOf(source.prepared);
  if (workers === 1) return await startPrepared(source, around);
  const { startSupervisor } = await import("./supervisor/supervisor.ts");
  return await startSupervisor({ ...source, workers }, around);
}

function workersOf({ loaded }: Prepared): number {
  const { workers, listeners } = loaded.config;
  // Without a listener there is nothing that several could share.
  if (listeners.length === 0) return 1;
  return workers === "auto" ? availableParallelism() : workers;
}
