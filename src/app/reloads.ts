/**
 * One reload at a time, whoever asks: a signal, a watched file, a caller. What is asked for while one
 * is under way is one further reload after it, however often it was asked for: it reads what is
 * written then.
 */
import type { Config } from "../config/schema.ts";
import type { Log } from "../model/ports.ts";
import type { ConfigStatus } from "./config-status.ts";
import { watchFiles } from "./watch-files.ts";

export interface Reloads {
  /** Rejects with what kept it from being put in force, which is logged by then. */
  reload(): Promise<void>;
  stop(): void;
}

export interface ReloadSource {
  /** Reads, checks, swaps; resolves to the hash of what is in force then. */
  reload(): Promise<string>;
  readonly config: () => Config;
  readonly file: string;
}

export function createReloads(
  source: ReloadSource,
  { log, status }: { readonly log: Log; readonly status: ConfigStatus },
): Reloads {
  let running: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  let stopped = false;

  async function once(): Promise<void> {
    waiting = undefined;
    if (stopped) return;
    try {
      await watch.taking();
      status.succeeded(await source.reload());
    } catch (error) {
      status.failed(error);
      throw error;
    } finally {
      watch.again();
    }
  }

  function ask(): Promise<void> {
    waiting ??= running = running.then(once, once);
    return waiting;
  }

  const watch = watchFiles(source.file, source.config, () => {
    log.info("the configuration has changed on disk");
    // Whoever asked is nobody: what was wrong is in log, metrics and readiness.
    ask().catch(() => {});
  });
  return {
    reload: ask,
    stop() {
      stopped = true;
      watch.stop();
    },
  };
}
