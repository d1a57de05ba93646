/** The proxy in one process: an instance, the operators' listener beside it, reloads and the end. */
import { createHealthHandler } from "../admin/health.ts";
import type { Config } from "../config/schema.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { listen, type Listener } from "../http/listener.ts";
import type { ExchangeHandler } from "../http/exchange.ts";
import type { Log } from "../model/ports.ts";
import { createConfigStatus } from "./config-status.ts";
import { type Instance, startInstance } from "./instance.ts";
import { textOf } from "./listener-set.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { createPreparer, type Prepared } from "./prepare.ts";
import { createReloads, type Reloads } from "./reloads.ts";

export interface Sallyport {
  /** Where it accepts requests, by listener name. */
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  /** Where it answers operators; undefined where no admin address is configured. */
  readonly admin: string | undefined;
  /**
   * Reads the configuration again and puts it in force for the requests that come, by one
   * assignment. Throws ConfigError, and changes nothing, where it does not validate or changes what
   * only a restart can change (admin, audit, limits.failures). Calls that come while one waits for another
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
export async function startSallyport(file: string, log: Log): Promise<Sallyport> {
  const prepare = createPreparer(file);
  return await startPrepared({ file, prepare, prepared: await prepare() }, log);
}

/** The same, of what is prepared already. */
export async function startPrepared(
  {
    file,
    prepare,
    prepared,
  }: {
    readonly file: string;
    readonly prepare: () => Promise<Prepared>;
    readonly prepared: Prepared;
  },
  log: Log,
): Promise<Sallyport> {
  warnOf(prepared, log);
  const instruments = createInstruments(log);
  const instance = await startInstance(prepared, instruments);
  const status = createConfigStatus(instance.configHash, instruments);
  const health = createHealthHandler({
    readiness: () => ({ ...instance.readiness(), config: status.detail() }),
    metrics: (accept) => instruments.metrics.render(accept),
  });
  const admin = await openAdmin(instance.config, instruments, health).catch(
    async (error: unknown) => {
      await instance.close({ atOnce: true });
      throw error;
    },
  );
  const reloads = createReloads(
    {
      async reload() {
        const next = await prepare();
        warnOf(next, log);
        await instance.reload(next);
        return instance.configHash;
      },
      config: () => instance.config,
      file,
    },
    { log, status },
  );
  return sallyport(instance, admin, reloads);
}

function sallyport(instance: Instance, admin: Listener | undefined, reloads: Reloads): Sallyport {
  return {
    listeners: instance.listeners,
    admin: admin === undefined ? undefined : textOf(admin.address),
    reload: () => reloads.reload(),
    async close(options) {
      reloads.stop();
      await instance.close(options);
      await admin?.close(0);
    },
  };
}

/** The operators' listener; undefined where none is configured. */
export async function openAdmin(
  config: Config,
  { clock, deadlines, log }: Instruments,
  handler: ExchangeHandler,
): Promise<Listener | undefined> {
  if (config.admin?.address === undefined) return undefined;
  const options = listenerSchema.parse({ name: "admin", address: config.admin.address });
  return await listen(options, { clock, deadlines, log, handler });
}

export function warnOf({ loaded }: Prepared, log: Log): void {
  for (const { message, remedy } of loaded.warnings) {
    log.warn("configuration", { finding: message, remedy });
  }
}
