/** What a rule is: it sees every decision, and raises a sign when its threshold is passed. */
import type { EventName } from "../../model/events.ts";
import type { DecisionLine } from "../../model/record-feed.ts";
import type { Tracked } from "./tracked.ts";

/** The events that are signs of a breach. */
export const SIGNS = [
  "refusal-burst",
  "new-network",
  "impossible-rate",
  "revoked-credential",
  "replayed-proof",
  "route-probing",
  "two-places",
] as const satisfies readonly EventName[];

export type SignName = (typeof SIGNS)[number];

/** One decision, and who asked. Its functions are about it until the next one. */
export interface Seen {
  readonly line: DecisionLine;
  readonly timeMs: number;
  /** Whether the caller was refused for something that lies with the caller. */
  readonly refused: boolean;
  /** Undefined for anonymous callers and while it was not known who calls. */
  readonly principal: Tracked | undefined;
  /** The caller's address, as a trusted proxy named it or the peer's. */
  readonly address: string;
  /** The network of the address. */
  readonly network: () => string;
  /** The address as a caller, for those who keep something about it. */
  readonly addressCaller: () => Tracked;
}

/** What a rule says; who and when is added from the decision. */
export interface Raised {
  /** What it is about: the same is not said again for a time. */
  readonly key: string;
  /** One sentence for the operator; no secret. */
  readonly detail: string;
  /** Ids of decisions that show it; with that of this one or without. */
  readonly decisions?: readonly string[];
  /** Names in alphabetical order. */
  readonly figures?: Readonly<Record<string, number | string>>;
}

export type Raise = (sign: SignName, seen: Seen, raised: Raised) => void;

export interface Rule {
  readonly sign: SignName;
  look(seen: Seen, raise: Raise): void;
}
