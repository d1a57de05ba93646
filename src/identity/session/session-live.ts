/**
 * Sessions that this process knows, and what becomes of them: entered, used, refreshed, over. The facts that the
 * gate is given are made here, and say for themselves whether they are still valid: open streams ask them.
 */
import type { CredentialFacts } from "../../model/facts.ts";
import { isClaimFault } from "../claims/claims.ts";
import type { SessionContent } from "./session-content.ts";
import type { MakeSessionFacts } from "./session-facts.ts";
import { expired, type SessionFault } from "./session-faults.ts";
import { endDigests } from "./session-standing.ts";
import { type KnownCookie, type LiveSession, SessionTable } from "./session-table.ts";
import type { SessionTimes } from "./session-times.ts";

export interface LiveSessionsDeps {
  readonly times: SessionTimes;
  readonly makeFacts: MakeSessionFacts;
  /** The text of a cookie with that content; undefined: any that is there stays good. */
  readonly write: (content: SessionContent) => string | undefined;
  /** Whether what is known may still be believed. */
  readonly hears: () => boolean;
}

const NONE: readonly string[] = Object.freeze([]);

export class LiveSessions {
  readonly #deps: LiveSessionsDeps;
  readonly #table = new SessionTable();

  constructor(deps: LiveSessionsDeps) {
    this.#deps = deps;
  }

  byHeader(header: string): KnownCookie | undefined {
    return this.#table.byHeader(header);
  }

  rememberHeader(header: string, known: KnownCookie): void {
    this.#table.rememberHeader(header, known);
  }

  /** Undefined also where it is known and not to be believed. */
  byText(text: string): KnownCookie | undefined {
    const known = this.#table.byText(text);
    return known === undefined || known.live.retired || !this.#deps.hears() ? undefined : known;
  }

  byId(id: string): LiveSession | undefined {
    const live = this.#table.byId(id);
    return live?.retired === true ? undefined : live;
  }

  meant(digest: string, untilMs: number): readonly LiveSession[] {
    return this.#table.meant(digest, untilMs);
  }

  /** A cookie of a session that is known. */
  add(known: KnownCookie): KnownCookie {
    return this.#table.add(known);
  }

  enter(content: SessionContent, text: string, nowMs: number): KnownCookie | SessionFault {
    const epoch = { current: true };
    const facts = this.#factsOf(content, nowMs, () => this.#isValid(live, epoch));
    // What was declared since its login it cannot have; another login brings it.
    if (isClaimFault(facts)) return expired(facts.detail);
    const live: LiveSession = {
      content,
      digests: endDigests(content),
      text,
      epoch,
      facts,
      answer: { result: facts, setCookies: NONE },
      quietUntilMs: 0,
      confirmedMs: undefined,
      ended: undefined,
      retired: false,
      refreshing: undefined,
      retryAtMs: 0,
    };
    return this.#table.add({ live, text, generation: content.generation });
  }

  /** What a refresh anywhere brought: other claims may mean another decision about what is open. */
  adopt(live: LiveSession, content: SessionContent, nowMs: number): SessionFault | undefined {
    const epoch = { current: true };
    const latest = { ...content, usedMs: Math.max(content.usedMs, live.content.usedMs) };
    const facts = this.#factsOf(latest, nowMs, () => this.#isValid(live, epoch));
    if (isClaimFault(facts)) return expired(facts.detail);
    live.epoch.current = false;
    live.epoch = epoch;
    live.confirmedMs = undefined;
    this.#put(live, latest, facts);
    this.#write(live);
    return undefined;
  }

  /** It was used at that time, so it lasts longer. Its claims are the same, and so is what rests on them. */
  touch(live: LiveSession, usedMs: number, nowMs: number): void {
    const content = { ...live.content, usedMs };
    const { epoch } = live;
    const facts = this.#factsOf(content, nowMs, () => this.#isValid(live, epoch));
    if (isClaimFault(facts)) throw new TypeError("the same claims make facts again");
    this.#put(live, content, facts);
  }

  /** It was used now: its cookie is written anew. */
  renew(live: LiveSession, nowMs: number): void {
    this.touch(live, nowMs, nowMs);
    this.#write(live);
  }

  /** False where it was over before. */
  over(live: LiveSession, because: string): boolean {
    if (live.ended !== undefined) return false;
    live.ended = because;
    live.quietUntilMs = 0;
    return true;
  }

  clear(): void {
    this.#table.clear();
  }

  #factsOf(content: SessionContent, nowMs: number, valid: () => boolean) {
    return this.#deps.makeFacts(content, { endsMs: this.#deps.times.end(content), nowMs, valid });
  }

  #put(live: LiveSession, content: SessionContent, facts: CredentialFacts): void {
    live.content = content;
    live.facts = facts;
    live.answer = { result: facts, setCookies: NONE };
    live.quietUntilMs = 0;
  }

  #write(live: LiveSession): void {
    live.text = this.#deps.write(live.content) ?? live.text;
    this.#table.add({ live, text: live.text, generation: live.content.generation });
  }

  #isValid(live: LiveSession, epoch: LiveSession["epoch"]): boolean {
    return epoch.current && !live.retired && live.ended === undefined && this.#deps.hears();
  }
}
