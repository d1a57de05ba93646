/** The proxy in one process: an instance, the operators' listener beside it, reloads and the end. */
import { formatProblem } from "../model/errors.ts";
import type { AdjustableLog, Log } from "../model/ports.ts";
import type { Backing } from "./authority/backing.ts";
import type { Standing } from "./authority/standing.ts";
import { renderMetrics } from "../telemetry/metrics.ts";
import { type AssertionSigning, signingAlone } from "./assertion-signing.ts";
import { createConfigStatus } from "./config-status.ts";
import { type FrontDesk, openFrontDesk } from "./front-desk.ts";
import { startInstance } from "./instance.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { createDoors } from "./operators.ts";
import { createPreparer, type Prepared } from "./prepare.ts";
import { createReloads } from "./reloads.ts";

const LIMITS = {
  /** Findings that get a line of their own: fewer than the log writes of one event at once. */
  findings: 15,
  /** Failing tests that get a line of their own; `sallyport test` prints all. */
  failingTests: 15,
} as const;

export interface Sallyport {
  /** Where it accepts requests, by listener name. */
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  /** Where it answers operators; undefined where no admin address is configured. */
  readonly admin: string | undefined;
  readonly adminScheme: "http" | "https";
  /** Resolves when an operator asks for an orderly end over the admin API. */
  readonly drainAsked: Promise<void>;
  /**
   * Reads the configuration again and puts it in force for the requests that come, by one
   * assignment. Throws ConfigError, and changes nothing, where it does not validate or changes what
   * only a restart can change (admin, audit, authority). Calls that come while one waits for another
   * are one reload.
   */
  reload(): Promise<void>;
  /**
   * Stops accepting, lets what is in flight end, closes the audit log last: as `shutdown` says, or
   * `atOnce`, which may be a second call.
   */
  close(options?: { readonly atOnce?: boolean }): Promise<void>;
}

/**
 * Runs the proxy that `file` describes. Resolves when every listener accepts connections.
 * Throws ConfigError, or SallyportError where an address or the audit log cannot be had.
 */
export async function startSallyport(file: string, log: AdjustableLog): Promise<Sallyport> {
  const prepare = createPreparer(file);
  const prepared = await prepare();
  const instruments = createInstruments(log);
  const desk = await openFrontDesk(prepared.loaded.config, instruments, "starting");
  return await startPrepared({ file, prepare, prepared }, { instruments, desk });
}

/** A configuration, and how to have the next one. */
export interface PreparedSource {
  readonly file: string;
  readonly prepare: () => Promise<Prepared>;
  readonly prepared: Prepared;
}

/** An authority, and what is known from it: never the one without the other. */
export interface Backed {
  readonly backing: Backing;
  readonly standing: Standing;
  /** Who signs assertions. */
  readonly signing: AssertionSigning;
  /** Ends both. */
  readonly stop: () => void;
}

/** What is there before it. All of it is closed with it, also where it does not come to be. */
export interface Surroundings {
  readonly instruments: Instruments;
  readonly desk: FrontDesk;
  /** Undefined where there is no authority. */
  readonly backed?: Backed | undefined;
}

/** The same, of what is prepared already. */
export async function startPrepared(
  { file, prepare, prepared }: PreparedSource,
  { instruments, desk, backed }: Surroundings,
): Promise<Sallyport> {
  const { log } = instruments;
  const { backing, standing, stop } = backed ?? {};
  const signing = backed?.signing ?? signingAlone(prepared.loaded.config, instruments);
  const end = async (): Promise<void> => {
    stop?.();
    signing?.close();
    await backing?.close();
    await desk.close();
  };
  log.adjust(prepared.loaded.config.log);
  warnOf(prepared, log);
  signing?.serves(prepared.loaded.config);
  const place = { standing, signing, issuing: backing?.issuing };
  const instance = await startInstance(prepared, instruments, place).catch(
    async (error: unknown) => {
      await end();
      throw error;
    },
  );
  const status = createConfigStatus(instance.configHash, instruments, () => instance.prepared);
  const drain = Promise.withResolvers<void>();
  const reloads = createReloads(
    {
      async reload() {
        const next = await prepare();
        warnOf(next, log);
        await instance.reload(next);
        signing?.serves(next.loaded.config);
        await backing?.inForce(next, "asked");
        return instance.configHash;
      },
      config: () => instance.config,
      file,
    },
    { log, status },
  );
  desk.answer(
    await createDoors({
      instruments,
      backing,
      gate: instance.gate,
      snapshot: () => instance.snapshot,
      prepared: () => instance.prepared,
      status,
      readiness: () => ({
        ...instance.readiness(),
        ...(standing && { authority: { ...standing.detail(), ...backing?.detail() } }),
      }),
      metrics: async (accept) => renderMetrics(await instance.families(), accept),
      listeners: () => instance.listeners,
      workers: () => ({ serving: 1, wanted: 1 }),
      reload: () => reloads.reload(),
      drain: () => drain.resolve(),
    }),
  );
  await backing?.inForce(prepared, "start");
  return {
    listeners: instance.listeners,
    admin: desk.address,
    adminScheme: desk.scheme,
    drainAsked: drain.promise,
    reload: () => reloads.reload(),
    async close(options) {
      reloads.stop();
      await instance.close(options);
      await end();
    },
  };
}

export function warnOf({ loaded, tests }: Prepared, log: Log): void {
  const { warnings } = loaded;
  for (const { message, remedy } of warnings.slice(0, LIMITS.findings)) {
    log.warn("configuration", { finding: message, remedy });
  }
  if (warnings.length > LIMITS.findings) {
    const further = warnings.length - LIMITS.findings;
    log.warn("configuration: there are further findings", { further, remedy: "sallyport check" });
  }
  if (tests === undefined || tests.faults === 0) return;
  for (const problem of tests.problems.slice(0, LIMITS.failingTests)) {
    log.error("a failing policy test is ignored", { problem: formatProblem(problem) });
  }
  log.error("policies are in force though their tests fail", {
    failing: tests.faults,
    remedy: "mend them, then remove policies.insecureIgnoreFailingTests",
  });
}
