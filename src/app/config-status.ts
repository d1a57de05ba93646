/**
 * What became of each try to put a configuration in force: one log line a problem, metrics, and the
 * detail of `/readyz`. A failed reload leaves a proxy that works and whose operator believes
 * something else to be in force, so it has to be seen wherever one looks.
 */
import { ConfigError, formatProblem, type Problem, SallyportError } from "../model/errors.ts";
import type { Clock, Counter, Log } from "../model/ports.ts";
import type { RunningMetrics } from "../telemetry/metrics.ts";
import type { Prepared } from "./prepare.ts";

const LIMITS = {
  /** Problems that get a line of their own; `sallyport check` prints them all. */
  logged: 15,
  /** Problems in the answer of `/readyz`, which is polled. */
  shown: 5,
} as const;

/** As `/readyz` shows it. */
export interface ConfigDetail {
  /** Of the configuration in force. */
  readonly hash: string;
  /** When it was put in force. */
  readonly since: string;
  /** Tests that the policies in force fail, or that cannot be read: `insecureIgnoreFailingTests` lets them. */
  readonly failingTests?: number;
  /** The last reload, where it failed: the running configuration is not the written one. */
  readonly notReloaded?: {
    readonly at: string;
    /** The first problems. */
    readonly why: readonly string[];
    readonly problems: number;
  };
}

export interface ConfigStatus {
  succeeded(hash: string): void;
  failed(error: unknown): void;
  detail(): ConfigDetail;
}

export interface ConfigStatusDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RunningMetrics;
}

/** `hash`: of the configuration that is in force at start; `prepared`: the one in force when it is asked. */
export function createConfigStatus(
  hash: string,
  deps: ConfigStatusDeps,
  prepared: () => Pick<Prepared, "tests">,
): ConfigStatus {
  const { clock, log, metrics } = deps;
  const counts = registerReloadMetrics(metrics);
  let detail: ConfigDetail = { hash, since: timeText(clock) };
  let succeededMs = clock.now();
  metrics.info("sallyport_config_info", "The configuration in force.", "hash", () => detail.hash);
  metrics.sampled(
    "sallyport_config_last_success_timestamp_seconds",
    "When a configuration was last put in force.",
    () => succeededMs / 1000,
  );
  metrics.sampled(
    "sallyport_config_last_reload_successful",
    "1 while the configuration in force is the one that was last asked for, else 0.",
    () => (detail.notReloaded === undefined ? 1 : 0),
  );
  const failing = (): number => prepared().tests?.faults ?? 0;
  metrics.sampled(
    "sallyport_policy_tests_failing",
    "Tests that the policies in force fail, and that the configuration ignores.",
    failing,
  );
  return {
    succeeded(next) {
      counts.success.inc();
      succeededMs = clock.now();
      detail = { hash: next, since: timeText(clock) };
      log.info("reloaded: the new configuration is in force", { hash: next });
    },
    failed(error) {
      counts.failure.inc();
      const problems = problemsOf(error);
      const why = problems.slice(0, LIMITS.shown).map(formatProblem);
      const notReloaded = { at: timeText(clock), why, problems: problems.length };
      detail = { hash: detail.hash, since: detail.since, notReloaded };
      logProblems(problems, log);
      log.error("not reloaded: the running configuration stays in force", {
        problems: problems.length,
        ...(error instanceof ConfigError ? {} : { error: asError(error) }),
      });
    },
    detail() {
      const failingTests = failing();
      return failingTests === 0 ? detail : { ...detail, failingTests };
    },
  };
}

function registerReloadMetrics(metrics: RunningMetrics): { success: Counter; failure: Counter } {
  const family = metrics.counter(
    "sallyport_reloads",
    "Tries to put a changed configuration in force.",
    ["outcome"],
  );
  // Both from the start, so that a first failure is seen as an increase.
  return { success: family.with("success"), failure: family.with("failure") };
}

function problemsOf(error: unknown): readonly Problem[] {
  if (error instanceof ConfigError) return error.problems;
  // What is no error of ours may hold anything; the log has it with its secrets cut out.
  const message = error instanceof SallyportError ? error.message : "a defect; the log says which";
  return [{ message }];
}

function logProblems(problems: readonly Problem[], log: Log): void {
  for (const { message, remedy, ...place } of problems.slice(0, LIMITS.logged)) {
    const at = [place.file, place.line, place.column].filter((part) => part !== undefined);
    log.error("a problem in the configuration", { at: at.join(":"), problem: message, remedy });
  }
  if (problems.length > LIMITS.logged) {
    const more = problems.length - LIMITS.logged;
    log.error("more problems in the configuration: sallyport check prints all", { more });
  }
}

function timeText(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
