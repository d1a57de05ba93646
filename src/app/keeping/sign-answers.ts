/**
 * Answers to signs of a breach, in the process that has the authority: access is taken away there, and each
 * answer is on record, counted and logged. Nothing here throws, and no request waits for it.
 */
import type { Revocation, RevokeOptions } from "../../keys/revocation-register.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Family, Log, Metrics, Timers } from "../../model/ports.ts";
import { NEVER, type RevocationTarget } from "../../model/revocation.ts";
import { ANSWERABLE } from "../../telemetry/signs/answer-options.ts";
import type { SignAnswer } from "../../telemetry/signs/answers.ts";

const LIMITS = {
  /** Milliseconds that answers which are under way have until the log is closed. */
  settleMs: 2000,
} as const;

const OUTCOMES = ["revoked", "blocked", "failed", "late"] as const;

export type TakeAway = (
  target: RevocationTarget,
  options: Omit<RevokeOptions, "by">,
) => Promise<Revocation>;

export interface SignAnswersDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  /** Undefined where there is no authority in this process. */
  readonly takeAway: () => TakeAway | undefined;
}

export class SignAnswers {
  readonly #deps: SignAnswersDeps;
  readonly #counter: Family<Counter>;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: SignAnswersDeps) {
    this.#deps = deps;
    this.#counter = deps.metrics.counter(
      "sallyport_signs_answered_total",
      "Answers to signs of a breach, by sign and what came of them: `revoked`, `blocked`, `failed`, `late` (found too late; nothing was done).",
      ["sign", "outcome"],
    );
    // From the start at zero: an increase is only seen of a series that was there before it.
    for (const sign of Object.values(ANSWERABLE)) {
      for (const outcome of OUTCOMES) this.#counter.with(sign, outcome);
    }
  }

  give(answer: SignAnswer): void {
    if (answer.late) {
      this.#count(answer, "late");
      this.#deps.log.warn("a sign of a breach was found too late to be answered", about(answer));
      return;
    }
    const one = this.#give(answer).finally(() => this.#underWay.delete(one));
    this.#underWay.add(one);
  }

  /** Resolves when all that was begun is on record, or after a while. */
  async settled(): Promise<void> {
    if (this.#underWay.size === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.timers.after(LIMITS.settleMs, resolve);
    await Promise.race([Promise.all(this.#underWay), late]);
    cancel();
  }

  async #give(answer: SignAnswer): Promise<void> {
    const { log } = this.#deps;
    try {
      const revocation = await this.#takeAway(answer);
      this.#count(answer, answer.blockMs === undefined ? "revoked" : "blocked");
      const { digest } = revocation;
      log.warn("a sign of a breach was answered", { ...about(answer), revocation: digest });
      this.#record(answer, revocation);
    } catch (error) {
      this.#count(answer, "failed");
      log.error("a sign of a breach could not be answered; the principal still has access", {
        ...about(answer),
        error: error instanceof Error ? error : undefined,
      });
    }
  }

  async #takeAway(answer: SignAnswer): Promise<Revocation> {
    const takeAway = this.#deps.takeAway();
    if (takeAway === undefined) throw new TypeError("no authority is kept in this process");
    const { authenticator, subject, blockMs, sign, decisions } = answer;
    const decision = decisions.at(-1);
    const reason = `sign ${sign}${decision === undefined ? "" : `, decision ${decision}`}`;
    return await takeAway(
      { kind: "subject", authenticator, subject },
      blockMs === undefined
        ? { mode: "revoke", reason }
        : { mode: "block", untilMs: this.#deps.clock.now() + blockMs, reason },
    );
  }

  #record(answer: SignAnswer, { digest, cutoff, block }: Revocation): void {
    const { sign, authenticator, subject, blockMs, decisions } = answer;
    const isBlock = blockMs !== undefined;
    const until = timeText((isBlock ? block?.untilMs : cutoff?.expiresMs) ?? NEVER);
    const issued = timeText(cutoff?.atMs ?? 0);
    this.#deps.events.event({
      timeMs: this.#deps.clock.now(),
      event: "sign-answered",
      detail: isBlock
        ? `the principal is blocked until ${until}, or until it is lifted`
        : `what was issued to the principal until ${issued} is revoked`,
      principal: `${authenticator}/${subject}`,
      decisions,
      figures: { answer: isBlock ? "block" : "revoke", revocation: digest, sign, until },
    });
  }

  #count({ sign }: SignAnswer, outcome: (typeof OUTCOMES)[number]): void {
    this.#counter.with(sign, outcome).inc();
  }
}

function about({ sign, authenticator, subject }: SignAnswer): { [name: string]: string } {
  return { sign, principal: `${authenticator}/${subject}` };
}

function timeText(ms: number): string {
  return ms >= NEVER ? "lifted" : new Date(ms).toISOString();
}
