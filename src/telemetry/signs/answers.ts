/**
 * Which signs are answered by taking access away (`signs.answer`), and which not: no one who is not known,
 * no operator, and nobody twice for one sign within its repeat time, also across restarts. The process that
 * serves does it.
 */
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import type { Clock } from "../../model/ports.ts";
import { ANSWERABLE, type AnswerableRule, type AnswerOptions } from "./answer-options.ts";
import { Generations } from "./generations.ts";
import type { Seen, SignName } from "./rule.ts";

const LIMITS = {
  /** Answers that are remembered, twice as many at most. Beyond it the oldest may be given again. */
  answered: 5000,
  /** Milliseconds: what the log says of longer ago is not answered, as after a time without this thread. */
  late: 300_000,
} as const;

/** What is to be taken away, from whom and why. */
export interface SignAnswer {
  readonly sign: SignName;
  readonly authenticator: string;
  readonly subject: string;
  /** How long the principal is blocked, in milliseconds; undefined: what it has is revoked. */
  readonly blockMs: number | undefined;
  /** Ids of decisions that show the sign. */
  readonly decisions: readonly string[];
  /** The sign was found so late that it is only said that nothing is done. */
  readonly late: boolean;
}

export interface AnswersDeps {
  readonly clock: Clock;
  readonly tell: (answer: SignAnswer) => void;
}

export class Answers {
  readonly #deps: AnswersDeps;
  readonly #repeat: number;
  /** Undefined for `revoke`. */
  readonly #blockMs: ReadonlyMap<SignName, number | undefined>;
  readonly #answered = new Generations<string, number>(LIMITS.answered);
  /** Whether there is something that `kept()` did not give out yet. */
  changed = false;

  /** `earlier`: what a former one kept. */
  constructor(
    options: AnswerOptions,
    repeat: number,
    given: { readonly deps: AnswersDeps; readonly earlier?: Readonly<Record<string, number>> },
  ) {
    this.#deps = given.deps;
    this.#repeat = repeat;
    this.#blockMs = answersBySign(options);
    for (const [key, timeMs] of Object.entries(given.earlier ?? {})) {
      this.#answered.set(key, timeMs);
    }
  }

  said(sign: SignName, { line, principal, timeMs }: Seen, decisions: readonly string[]): void {
    // A principal is known here only where it was authenticated; anonymous callers are none.
    if (!this.#blockMs.has(sign) || principal === undefined || line.principal === undefined) return;
    // Who could lift it must not be locked out.
    if (line.route === ADMIN_ROUTE) return;
    const key = `${sign} ${principal.text}`;
    const last = this.#answered.get(key);
    if (last !== undefined && Math.abs(timeMs - last) < this.#repeat) return;
    const late = this.#deps.clock.now() - timeMs > LIMITS.late;
    if (!late) {
      this.#answered.set(key, timeMs);
      this.changed = true;
    }
    const { authenticator, subject } = line.principal;
    const blockMs = this.#blockMs.get(sign);
    this.#deps.tell({ sign, authenticator, subject, blockMs, decisions, late });
  }

  /** For a file: when each sign of each principal was answered, of those that count still. */
  kept(): Record<string, number> {
    this.changed = false;
    const since = this.#deps.clock.now() - this.#repeat;
    return Object.fromEntries([...this.#answered.entries()].filter(([, at]) => at > since));
  }
}

function answersBySign(options: AnswerOptions): ReadonlyMap<SignName, number | undefined> {
  const answers = new Map<SignName, number | undefined>();
  for (const rule of Object.keys(ANSWERABLE) as AnswerableRule[]) {
    const answer = options[rule];
    if (answer === undefined) continue;
    answers.set(ANSWERABLE[rule], "block" in answer ? answer.block : undefined);
  }
  return answers;
}
