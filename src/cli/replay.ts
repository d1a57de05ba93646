/**
 * `sallyport replay`: evaluates recorded decisions by other policies, and lists what would be decided
 * otherwise. Asks no running process; reads the log as it lies there, also while it is written.
 */
import { systemClock } from "../platform/clock.ts";
import { createSettle } from "../policy/replay/settle.ts";
import { Replay } from "../policy/replay/replay.ts";
import { candidatePolicies, candidateSource } from "./candidate-source.ts";
import { logPast } from "./log-past.ts";
import { type DecisionFilter, eachDecision } from "./recorded-decisions.ts";
import { type ReplayResult, replayText, saysNothing } from "./replay-text.ts";

export interface ReplayOptions extends DecisionFilter {
  readonly config: string;
  /** In place of those of the configuration. */
  readonly policies: readonly string[];
  readonly format: "text" | "json";
}

/** 0: no answer flips; 1: some do, or all that could say so was redacted. Throws ConfigError where the candidate cannot be used. */
export async function replay(
  options: ReplayOptions,
  print: (text: string) => void,
): Promise<number> {
  const source = await candidateSource(options.config, options.policies);
  const { policies, clauses } = await candidatePolicies(source);
  const settle = createSettle({ policies: clauses, gate: policies });
  const past = await logPast(options.from);
  const run = new Replay(policies, source.vocabulary, { settle, ...past });
  const started = systemClock.monotonic();
  const read = await eachDecision(options, (record) => run.add(record));
  const seconds = (systemClock.monotonic() - started) / 1000;
  const result: ReplayResult = { ...run.report(), bundle: policies.hash, read, seconds };
  print(options.format === "json" ? JSON.stringify(result) : replayText(result).trimEnd());
  return result.wouldDeny.count + result.wouldPermit.count > 0 || saysNothing(result) ? 1 : 0;
}
