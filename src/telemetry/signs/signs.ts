/**
 * Looks at every decision of all workers for signs of a breach, in the thread that reads the log back: it
 * decides nothing and keeps no request waiting. Each rule is one file beside this.
 *
 * What it remembers is bounded by construction (docs/signs.md says what is forgotten).
 */
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import { type Reason, reasonInfo, REASONS } from "../../model/reason.ts";
import type {
  DecisionLine,
  RecordBatch,
  RecordConsumer,
  SegmentEnd,
} from "../../model/record-feed.ts";
import { exchange } from "../../platform/bounded-exchange.ts";
import { createAlarm } from "./alarm.ts";
import { Answers, type SignAnswer } from "./answers.ts";
import { createImpossibleRate } from "./impossible-rate.ts";
import { createNetworks } from "./networks.ts";
import { createNewNetwork, type NewNetworkRule } from "./new-network.ts";
import { Positions } from "./positions.ts";
import { createRecordTime } from "./record-time.ts";
import { createRefusalBurst } from "./refusal-burst.ts";
import { createReplayedProof } from "./replayed-proof.ts";
import { createRevokedCredential } from "./revoked-credential.ts";
import { createRouteProbing } from "./route-probing.ts";
import type { Raise, Rule, Seen } from "./rule.ts";
import { SignWebhook, type SignWebhookDeps } from "./sign-webhook.ts";
import type { SignsOptions } from "./signs-options.ts";
import { readSignsState, type SignsState, writeSignsState } from "./signs-state.ts";
import { Callers, Places, type Tracked } from "./tracked.ts";
import { createTwoPlaces } from "./two-places.ts";

const LIMITS = {
  /** Principals, and addresses of refused callers, that something is kept about; twice as many at most. */
  callers: 10_000,
  /** Characters of a principal that tell it from others. */
  principal: 256,
  /** Milliseconds between two writes of the file. What a crash loses is read from the log again. */
  write: 30_000,
} as const;

/** Refusals that are a step of the protocol, or say nothing of the caller. */
const NO_REFUSAL: ReadonlySet<Reason> = new Set<Reason>([
  "use-dpop-nonce",
  "step-up-required",
  "login-begun",
  "rate-limited",
  "too-many-concurrent",
  "too-many-failures",
  "deadline-exceeded",
  "caller-gone",
]);

export interface SignsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  readonly random: () => number;
  /** Has access taken away, where `signs.answer` says so. */
  readonly answer: (answer: SignAnswer) => void;
  /** For tests; the network when left out. */
  readonly exchange?: SignWebhookDeps["exchange"];
}

/** `folder`: of the audit log, where `signs.json` is kept. */
export function createSigns(
  options: SignsOptions,
  folder: string,
  deps: SignsDeps,
): RecordConsumer {
  return new Signs(options, folder, deps);
}

class Signs implements RecordConsumer {
  readonly name = "signs";
  readonly #options: SignsOptions;
  readonly #folder: string;
  readonly #deps: SignsDeps;
  readonly #rules: readonly Rule[];
  readonly #newNetwork: NewNetworkRule | undefined;
  readonly #principals = new Callers(LIMITS.callers);
  readonly #positions: Positions;
  readonly #webhook: SignWebhook | undefined;
  readonly #answers: Answers | undefined;
  readonly #look: (line: DecisionLine) => void;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: SignsOptions, folder: string, deps: SignsDeps) {
    this.#options = options;
    this.#folder = folder;
    this.#deps = deps;
    const { webhook } = options;
    const send = deps.exchange ?? exchange;
    this.#webhook = webhook && new SignWebhook(webhook, { ...deps, exchange: send });
    const alarm = createAlarm(options, {
      ...deps,
      send: (id, message) => this.#webhook?.send(id, message),
      answer: (sign, seen, decisions) => this.#answers?.said(sign, seen, decisions),
    });
    const places = new Places();
    const { newNetwork } = options;
    this.#newNetwork = newNetwork === "off" ? undefined : createNewNetwork(newNetwork, places);
    this.#rules = [
      ...createRules(options, places),
      ...(this.#newNetwork ? [this.#newNetwork] : []),
    ];
    this.#look = createLook(this.#rules, { options, alarm, principals: this.#principals });
    const state = this.#restored();
    this.#positions = new Positions(deps.clock.now(), state);
    const { answer, repeat } = options;
    const answering = { clock: deps.clock, tell: deps.answer };
    this.#answers =
      answer && new Answers(answer, repeat, { deps: answering, earlier: state?.answered ?? {} });
  }

  position(segment: string): number {
    return this.#positions.get(segment);
  }

  take(batch: RecordBatch): void {
    for (const line of batch.entries()) {
      if (line.type === "decision") this.#look(line);
    }
    this.#positions.moved(batch.segment, batch.offset + batch.bytes.length);
  }

  ended({ segment }: SegmentEnd): void {
    this.#positions.ended(segment);
  }

  async commit(): Promise<void> {
    const recent = this.#deps.clock.monotonic() - this.#writtenAt < LIMITS.write;
    // What was answered is not to be answered again after a crash.
    if (recent && this.#answers?.changed !== true) return;
    await this.#write();
  }

  async close(): Promise<void> {
    await this.#write();
    await this.#webhook?.close();
  }

  /** Never rejects: what is lost is learned again, and the other readers of the log go on. */
  async #write(): Promise<void> {
    const { clock, log } = this.#deps;
    this.#writtenAt = clock.monotonic();
    const { ipv4, ipv6 } = this.#options.networks;
    const networks = this.#newNetwork?.keep(this.#principals.all()) ?? {};
    const known = { ipv4, ipv6, ...this.#positions.kept(clock.now()), networks };
    const answered = this.#answers && { answered: this.#answers.kept() };
    const state = { v: 1, ...known, ...answered } as const;
    try {
      await writeSignsState(this.#folder, state);
    } catch (error) {
      log.warn("what the signs of a breach have learned cannot be kept", { error: error as Error });
    }
  }

  #restored(): SignsState | undefined {
    const { ipv4, ipv6 } = this.#options.networks;
    let state: SignsState | undefined;
    try {
      state = readSignsState(this.#folder);
    } catch (error) {
      const { log } = this.#deps;
      log.warn("what the signs of a breach had learned cannot be read; it is learned again", {
        error: new Error(error instanceof SyntaxError ? "not JSON" : codeOf(error)),
      });
    }
    if (state?.ipv4 === ipv4 && state.ipv6 === ipv6) {
      this.#newNetwork?.restore(state.networks, (text) => this.#principals.get(text));
    }
    return state;
  }
}

/** What Zod says of a file may quote it. */
function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "not a file of ours";
}

function createRules(options: SignsOptions, places: Places): Rule[] {
  const { refusalBurst, impossibleRate, revokedCredential, replayedProof } = options;
  const { routeProbing, twoPlaces } = options;
  return [
    ...(refusalBurst === "off" ? [] : [createRefusalBurst(refusalBurst, places)]),
    ...(impossibleRate === "off" ? [] : [createImpossibleRate(impossibleRate, places)]),
    ...(revokedCredential === "off" ? [] : [createRevokedCredential()]),
    ...(replayedProof === "off" ? [] : [createReplayedProof(replayedProof, places)]),
    ...(routeProbing === "off" ? [] : [createRouteProbing(routeProbing, places)]),
    ...(twoPlaces === "off" ? [] : [createTwoPlaces(twoPlaces, places)]),
  ];
}

/** All rules over one decision; one object serves for all decisions. */
function createLook(
  rules: readonly Rule[],
  given: {
    readonly options: SignsOptions;
    readonly alarm: Raise;
    readonly principals: Callers;
  },
): (line: DecisionLine) => void {
  const { options, alarm, principals } = given;
  const addresses = new Callers(LIMITS.callers);
  const networkOf = createNetworks(options.networks);
  const timeOf = createRecordTime();
  // Of the decision at hand.
  let address = "";
  let known: string | undefined;
  let principal: Tracked | undefined;
  // Half of what all rules cost was looking up the same address again.
  const network = (): string => {
    if (known !== undefined) return known;
    if (principal === undefined) return (known = networkOf(address));
    if (principal.address !== address) {
      principal.address = address;
      principal.network = networkOf(address);
    }
    return (known = principal.network);
  };
  const addressCaller = (): Tracked => addresses.get(address);
  return (line) => {
    // Asked by somebody about somebody else, or about a stream that is open already.
    if (line.asked !== undefined || line.stream !== undefined) return;
    address = line.clientAddress ?? line.peerAddress;
    known = undefined;
    principal = principalOf(line, principals);
    const seen: Seen = {
      line,
      timeMs: timeOf(line.time),
      refused: line.decision === "deny" && isRefusal(line.reason),
      principal,
      address,
      network,
      addressCaller,
    };
    for (const rule of rules) rule.look(seen, alarm);
  };
}

function isRefusal(reason: Reason): boolean {
  // One of a later release is told by who knows it.
  return (
    Object.hasOwn(REASONS, reason) &&
    reasonInfo(reason).fault === "caller" &&
    !NO_REFUSAL.has(reason)
  );
}

function principalOf({ principal }: DecisionLine, principals: Callers): Tracked | undefined {
  if (principal === undefined || principal.kind === "anonymous") return undefined;
  const text = `${principal.authenticator}/${principal.subject}`;
  return principals.get(text.length > LIMITS.principal ? text.slice(0, LIMITS.principal) : text);
}
