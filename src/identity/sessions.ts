/**
 * Browser sessions of one authenticator: begun by a login, known by a cookie, renewed while they are used, refreshed
 * ahead of what the provider's tokens last, and ended by a logout, by the provider, or by time.
 *
 * Refuses cookies that are not whole, not ours, or another authenticator's, sessions past their idle or absolute
 * lifetime, those that were ended, and former cookies of a session once its browser has a newer one.
 */
import { randomBytes } from "node:crypto";
import type { CredentialFailure } from "../model/facts.ts";
import type { CanonicalRequest, Fields } from "../model/http.ts";
import type { JsonObject } from "../model/json.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import type { RevocationTarget } from "../model/revocation.ts";
import type { SharedMemory } from "../model/shared-memory.ts";
import type { SessionAnswer } from "../model/verifiers.ts";
import { getAllFields } from "../wire/fields.ts";
import { isClaimFault } from "./claims.ts";
import type { OidcOptions } from "./oidc-options.ts";
import {
  keepClaims,
  keptClaims,
  readContent,
  type SessionContent,
  writeContent,
} from "./session-content.ts";
import { type CarriedSession, createSessionCookies } from "./session-cookies.ts";
import { createSessionFacts } from "./session-facts.ts";
import type { SessionProvider, SessionTokens } from "./session-provider.ts";
import { createSessionRefresher, type Refreshed } from "./session-refresh.ts";
import { createSessionSealer } from "./session-seal.ts";
import { settle } from "./session-settle.ts";
import {
  createSessionStanding,
  endDigest,
  endDigests,
  type SessionEnd,
  type Standing,
} from "./session-standing.ts";
import { createCookieStore, createMemoryStore, isMemoryFault, type Read } from "./session-store.ts";
import { type KnownCookie, type LiveSession, SessionTable } from "./session-table.ts";

/** What a login brought: claims of the verified ID token, with those of userinfo where asked for. */
export interface SessionBegin extends SessionTokens {
  readonly claims: JsonObject;
}

export type Begun =
  | { readonly setCookies: readonly string[]; readonly id: string; readonly principal: Principal }
  /** The claims are not what the configuration asks for, or it cannot be kept. */
  | { readonly failure: Reason; readonly detail: string };

/** What is known of the session that a request carries, for a logout. */
export interface SessionSummary {
  readonly id: string;
  readonly subject: string;
  readonly principal: Principal;
  readonly sid: string | undefined;
  readonly idToken: string | undefined;
}

/** What was ended; `session` undefined where the request carried none that was good. */
export interface Ended {
  readonly setCookies: readonly string[];
  readonly session: SessionSummary | undefined;
}

/** A request as far as sessions are concerned. */
export type SessionRequest = Pick<CanonicalRequest, "head">;

export interface Sessions {
  /**
   * Begins one. `request`: of the browser that it is for, whose former session ends with that.
   * Rejects only with SallyportError where the memory that it is kept in cannot be reached or is full.
   */
  begin(
    tokens: SessionBegin,
    options: { readonly nowMs: number; readonly request?: SessionRequest },
  ): Promise<Begun>;
  /** The session that the request carries, if it is good. Changes nothing. */
  read(request: SessionRequest, nowMs: number): Promise<SessionSummary | undefined>;
  /** Ends the session that the request carries, everywhere. */
  end(request: SessionRequest, nowMs: number): Promise<Ended>;
  /** Ends what the provider's session `sid` began (OpenID Connect Back-Channel Logout 1.0). */
  endBySid(sid: string, nowMs: number): Promise<void>;
  /** Ends every session of a person that began until now; `subject` is the claim `sub`. */
  endBySubject(subject: string, nowMs: number): Promise<void>;
  /** For the gate. `stream`: asked about an open stream, which renews nothing. */
  verify(
    request: SessionRequest,
    nowMs: number,
    stream?: boolean,
  ): SessionAnswer | undefined | Promise<SessionAnswer | undefined>;
  close(): void;
}

export interface SessionsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly shared: SharedMemory;
  /** 32 bytes each, the current one first. */
  readonly keys: readonly Uint8Array[];
  /** Undefined: sessions are not refreshed. */
  readonly provider: SessionProvider | undefined;
  /** Takes away everywhere where the authority is in this process; undefined where it is not. */
  readonly revoke?: ((target: RevocationTarget, expiresMs: number) => Promise<void>) | undefined;
}

const LIMITS = {
  /** A cookie is written anew when this part of the idle time has passed: four times in it, not with every request. */
  renewals: 4,
  /** How long a former cookie is good once the browser has come with a newer one: requests were under way. */
  graceMs: 120_000,
  /** After a refresh that failed. */
  retryMs: 5000,
  /** What a clock of another replica may be ahead. A session from later than that is none of ours. */
  aheadMs: 300_000,
  /** What an access token lasts whose provider does not say. */
  unsaidMs: 300_000,
  idBytes: 16,
} as const;

const NONE: readonly string[] = Object.freeze([]);

type SessionsOptions = OidcOptions & { readonly name: string };

export function createSessions(options: SessionsOptions, deps: SessionsDeps): Sessions {
  return new BrowserSessions(options, deps);
}

/** What came of a cookie: known, or why not. */
type Loaded = KnownCookie | { readonly failure: Reason; readonly detail: string };

class BrowserSessions implements Sessions {
  readonly #name: string;
  readonly #options: SessionsOptions["session"];
  readonly #subjectIsSub: boolean;
  readonly #deps: SessionsDeps;
  readonly #cookies;
  readonly #store;
  readonly #standing;
  readonly #makeFacts;
  readonly #kept: ReadonlySet<string>;
  readonly #refresh: ((content: SessionContent) => Promise<Refreshed>) | undefined;
  readonly #table = new SessionTable();
  readonly #events;

  constructor(options: SessionsOptions, deps: SessionsDeps) {
    const { name, session, principal, client } = options;
    const { shared, provider, metrics } = deps;
    this.#name = name;
    this.#options = session;
    this.#subjectIsSub = principal.subject === "sub";
    this.#deps = deps;
    this.#cookies = createSessionCookies({
      name,
      sameSite: session.cookie.sameSite,
      insecure: session.cookie.insecurePlaintext,
    });
    const sealer = createSessionSealer(deps.keys, `session ${session.store} ${name}`);
    const storeDeps = { name, sealer, shared };
    this.#store =
      session.store === "cookie" ? createCookieStore(storeDeps) : createMemoryStore(storeDeps);
    this.#standing = createSessionStanding({
      ...deps,
      name,
      ended: (digest, untilMs) => this.#heardOfEnd(digest, untilMs),
    });
    this.#makeFacts = createSessionFacts({ name, clientId: client.id, principal });
    this.#kept = keptClaims(principal);
    this.#refresh =
      provider &&
      createSessionRefresher({
        ...deps,
        name,
        provider,
        store: this.#store,
        merge: (content, tokens) => this.#merge(content, tokens),
        ttl: (content) => this.#absoluteEnd(content) - deps.clock.now(),
      });
    this.#events = metrics.counter(
      "sallyport_sessions",
      "What became of browser sessions: begun, renewed, refreshed, refresh-failed, ended, expired, refused.",
      ["authenticator", "event"],
    );
  }

  async begin(
    tokens: SessionBegin,
    { nowMs, request }: { readonly nowMs: number; readonly request?: SessionRequest },
  ): Promise<Begun> {
    const content: SessionContent = {
      id: randomBytes(LIMITS.idBytes).toString("base64url"),
      claims: keepClaims(tokens.claims, this.#kept),
      sid: tokens.sid,
      idToken: tokens.idToken,
      refreshToken: tokens.refreshToken,
      ...this.#times(tokens, nowMs),
      beganMs: nowMs,
      usedMs: nowMs,
      generation: 0,
    };
    const fault = this.#faultOf(content);
    if (fault !== undefined) return fault;
    const text = await this.#store.keep(content, this.#options.absolute);
    const carried = request === undefined ? undefined : this.#carried(request);
    const setCookies = this.#write(text, content, carried?.names ?? NONE);
    if (setCookies === undefined) {
      const detail = "larger than cookies may be; session.store: memory takes it";
      return { failure: "session-too-large", detail };
    }
    // The former session of the browser must not live on where nobody can log it out.
    if (request !== undefined) await this.end(request, nowMs);
    const entered = this.#enter(content, text, nowMs);
    if ("failure" in entered) return entered;
    this.#count("begun");
    return { setCookies, id: content.id, principal: entered.live.facts.principal };
  }

  async read(request: SessionRequest, nowMs: number): Promise<SessionSummary | undefined> {
    const carried = this.#carried(request);
    if (carried === undefined) return undefined;
    const known = await this.#find(carried.texts, nowMs);
    if (known === undefined || "failure" in known) return undefined;
    if (this.#overBecause(known, nowMs) !== undefined) return undefined;
    return summaryOf(known.live);
  }

  async end(request: SessionRequest, nowMs: number): Promise<Ended> {
    const carried = this.#carried(request);
    if (carried === undefined) return { setCookies: NONE, session: undefined };
    const setCookies = this.#cookies.clear(carried.names);
    const known = await this.#find(carried.texts, nowMs);
    if (known === undefined || "failure" in known) return { setCookies, session: undefined };
    const { live } = known;
    const session = this.#overBecause(known, nowMs) === undefined ? summaryOf(live) : undefined;
    await this.#end(live, nowMs);
    return { setCookies, session };
  }

  async endBySid(sid: string, nowMs: number): Promise<void> {
    await this.#endAll({ by: "sid", sid }, nowMs);
  }

  async endBySubject(subject: string, nowMs: number): Promise<void> {
    await this.#endAll({ by: "subject", subject }, nowMs);
    if (!this.#subjectIsSub) return;
    const target = { kind: "subject", authenticator: this.#name, subject } as const;
    await this.#revoke(target, nowMs + this.#options.absolute);
  }

  verify(
    request: SessionRequest,
    nowMs: number,
    stream = false,
  ): SessionAnswer | undefined | Promise<SessionAnswer | undefined> {
    const header = cookieOf(request.head.fields);
    if (header === undefined) return undefined;
    const quick = this.#table.byHeader(header);
    if (quick !== undefined) {
      const { live } = quick;
      if (quick.text === live.text && nowMs < live.quietUntilMs && this.#standing.hears()) {
        return live.answer;
      }
    }
    const carried = this.#cookies.read(header);
    if (carried === undefined) return undefined;
    if (carried.fault !== undefined) return this.#refuse("invalid-session", carried.fault, carried);
    const found = this.#find(carried.texts, nowMs);
    return settle(found, (known) => {
      if (known === undefined) throw new TypeError("a session without a text has a fault");
      if ("failure" in known) return this.#refuse(known.failure, known.detail, carried);
      if (carried.texts.length === 1) this.#table.rememberHeader(header, known);
      return this.#serve(known, { carried, nowMs, stream });
    });
  }

  close(): void {
    this.#standing.close();
    this.#table.clear();
  }

  #carried({ head }: SessionRequest): CarriedSession | undefined {
    const header = cookieOf(head.fields);
    return header === undefined ? undefined : this.#cookies.read(header);
  }

  /** Of several texts the newest; one that is refused refuses them all. */
  #find(texts: readonly string[], nowMs: number): Loaded | undefined | Promise<Loaded | undefined> {
    const [text, ...more] = texts;
    if (text === undefined) return undefined;
    const first = this.#load(text, nowMs);
    if (more.length === 0) return first;
    return settle(first, (one) => {
      if ("failure" in one) return one;
      return settle(this.#find(more, nowMs) as Loaded | Promise<Loaded>, (other) => {
        if ("failure" in other) return other;
        return isNewer(other, one) ? other : one;
      });
    }) as Promise<Loaded>;
  }

  #load(text: string, nowMs: number): Loaded | Promise<Loaded> {
    const known = this.#table.byText(text);
    if (known !== undefined && !known.live.retired && this.#standing.hears()) return known;
    try {
      const loaded = settle(this.#store.read(text), (read) => this.#judge(text, read, nowMs));
      return loaded instanceof Promise ? loaded.catch(memoryFailure) : loaded;
    } catch (error) {
      return memoryFailure(error);
    }
  }

  #judge(text: string, read: Read, nowMs: number): Loaded | Promise<Loaded> {
    if ("fault" in read) return READ_FAULTS[read.fault];
    if (read.beganMs - nowMs > LIMITS.aheadMs || read.usedMs - nowMs > LIMITS.aheadMs) {
      return expired("it is from the future");
    }
    if (nowMs >= this.#absoluteEnd(read)) return expired("past its absolute lifetime");
    return settle(this.#standing.of(read), (standing) =>
      settle(this.#store.newest(read.id), (newest) =>
        this.#admit({ text, read, newest, standing, nowMs }),
      ),
    );
  }

  #admit({
    text,
    read,
    newest,
    standing,
    nowMs,
  }: {
    readonly text: string;
    readonly read: SessionContent;
    readonly newest: SessionContent | undefined;
    readonly standing: Standing;
    readonly nowMs: number;
  }): Loaded {
    const { ended, seen, usedMs } = standing;
    if (ended) return expired("ended by a logout");
    if (seen !== undefined && this.#isFormer(read.generation, seen, nowMs)) return FORMER;
    const newer = newest !== undefined && newest.generation > read.generation ? newest : read;
    const content = { ...newer, usedMs: Math.max(newer.usedMs, read.usedMs, usedMs) };
    if (nowMs >= this.#idleEnd(content)) return expired("past its idle lifetime");
    const ownText = newer === read ? text : (this.#store.renewed(newer) ?? text);
    let live = this.#table.byId(read.id);
    if (live === undefined || live.retired) {
      const entered = this.#enter(content, ownText, nowMs);
      if ("failure" in entered) return entered;
      ({ live } = entered);
      if (seen?.generation === content.generation) live.confirmedMs = seen.atMs;
    } else if (content.generation > live.content.generation) {
      const adopted = this.#adopt(live, content, nowMs);
      if (adopted !== undefined) return adopted;
    } else if (usedMs > live.content.usedMs) {
      live.content = { ...live.content, usedMs };
    }
    return this.#table.add({ live, text, generation: read.generation });
  }

  /** A new entry of the table. */
  #enter(
    content: SessionContent,
    text: string,
    nowMs: number,
  ): KnownCookie | { readonly failure: Reason; readonly detail: string } {
    const epoch = { current: true };
    const facts = this.#makeFacts(
      content,
      this.#moment(content, nowMs, () => isValid()),
    );
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
    const isValid = (): boolean => this.#isValid(live, epoch);
    return this.#table.add({ live, text, generation: content.generation });
  }

  #isValid(live: LiveSession, epoch: LiveSession["epoch"]): boolean {
    return epoch.current && !live.retired && live.ended === undefined && this.#standing.hears();
  }

  /** What a refresh anywhere brought: other claims may mean another decision about what is open. */
  #adopt(
    live: LiveSession,
    content: SessionContent,
    nowMs: number,
  ): { readonly failure: Reason; readonly detail: string } | undefined {
    const epoch = { current: true };
    const valid = (): boolean => this.#isValid(live, epoch);
    const usedMs = Math.max(content.usedMs, live.content.usedMs);
    const latest = { ...content, usedMs };
    const facts = this.#makeFacts(latest, this.#moment(latest, nowMs, valid));
    if (isClaimFault(facts)) return expired(facts.detail);
    live.epoch.current = false;
    live.epoch = epoch;
    live.content = latest;
    live.text = this.#store.renewed(latest) ?? live.text;
    live.confirmedMs = undefined;
    live.facts = facts;
    live.answer = { result: facts, setCookies: NONE };
    live.quietUntilMs = 0;
    this.#table.add({ live, text: live.text, generation: latest.generation });
    return undefined;
  }

  #moment(content: SessionContent, nowMs: number, valid: () => boolean) {
    const endsMs = Math.min(this.#idleEnd(content), this.#absoluteEnd(content));
    return { endsMs, nowMs, valid };
  }

  /** What a request with a known cookie is answered, and what is due. */
  #serve(
    known: KnownCookie,
    at: {
      readonly carried: CarriedSession;
      readonly nowMs: number;
      readonly stream: boolean;
    },
  ): SessionAnswer | Promise<SessionAnswer> {
    const { live } = known;
    const { carried, nowMs, stream } = at;
    const over = this.#overBecause(known, nowMs);
    if (over !== undefined) {
      if (over !== IDLE) return this.#refuse("session-expired", over, carried);
      return this.#usedElsewhere(known, at);
    }
    const due = this.#refreshDue(live, nowMs);
    if (due === "now") {
      return this.#refreshOnce(live).then(() => this.#afterRefresh(known, at));
    }
    if (due === "ahead") void this.#refreshOnce(live);
    return this.#answer(known, { carried, nowMs, stream });
  }

  #answer(
    known: KnownCookie,
    at: { readonly carried: CarriedSession; readonly nowMs: number; readonly stream: boolean },
  ): SessionAnswer {
    const { live } = known;
    const { carried, nowMs, stream } = at;
    if (!stream) {
      this.#confirm(known, nowMs);
      this.#renew(live, nowMs);
    }
    live.quietUntilMs = this.#quietUntil(live, nowMs);
    // The cookie that the browser has is not the newest: it gets that with every answer until it has it.
    if (stream || (known.text === live.text && carried.texts.length === 1)) return live.answer;
    const setCookies = this.#write(live.text, live.content, carried.names) ?? NONE;
    return { result: live.facts, setCookies };
  }

  #overBecause({ live, generation }: KnownCookie, nowMs: number): string | undefined {
    const { content, ended, confirmedMs } = live;
    if (ended !== undefined) return ended;
    if (nowMs >= this.#absoluteEnd(content)) return "past its absolute lifetime";
    if (confirmedMs !== undefined) {
      const seen = { generation: content.generation, atMs: confirmedMs };
      if (this.#isFormer(generation, seen, nowMs)) return FORMER.detail;
    }
    return nowMs >= this.#idleEnd(content) ? IDLE : undefined;
  }

  #isFormer(
    generation: number,
    seen: { readonly generation: number; readonly atMs: number },
    nowMs: number,
  ): boolean {
    return generation < seen.generation && nowMs >= seen.atMs + LIMITS.graceMs;
  }

  /** Idle as far as this process knows: another may have renewed it. */
  #usedElsewhere(
    known: KnownCookie,
    at: { readonly carried: CarriedSession; readonly nowMs: number; readonly stream: boolean },
  ): SessionAnswer | Promise<SessionAnswer> {
    const { live } = known;
    const { nowMs, carried } = at;
    const judge = ({ ended, usedMs }: Standing): SessionAnswer | Promise<SessionAnswer> => {
      if (ended) this.#over(live, "ended by a logout");
      if (!ended && usedMs > live.content.usedMs) {
        this.#touch(live, usedMs, nowMs);
        if (this.#overBecause(known, nowMs) === undefined) return this.#serve(known, at);
      }
      return this.#refuse("session-expired", live.ended ?? IDLE, carried);
    };
    const failed = (error: unknown): SessionAnswer => {
      const { failure, detail } = memoryFailure(error);
      return this.#refuse(failure, detail, undefined);
    };
    try {
      const answer = settle(this.#standing.of(live.content), judge);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (error) {
      return failed(error);
    }
  }

  /** A browser has come with this cookie: what it had before is a former one from now on. */
  #confirm({ live, generation, text }: KnownCookie, nowMs: number): void {
    if (generation === 0 || live.confirmedMs !== undefined) return;
    if (generation !== live.content.generation || text !== live.text) return;
    live.confirmedMs = nowMs;
    const seen = { generation, atMs: nowMs };
    const ttl = Math.max(1, this.#absoluteEnd(live.content) - nowMs);
    this.#tell(this.#standing.seen(live.content.id, seen, ttl));
  }

  #renew(live: LiveSession, nowMs: number): void {
    if (nowMs - live.content.usedMs < this.#options.idle / LIMITS.renewals) return;
    this.#touch(live, nowMs, nowMs);
    const { id } = live.content;
    this.#tell(this.#standing.used(id, nowMs, this.#options.idle));
    const text = this.#store.renewed(live.content);
    if (text !== undefined) {
      live.text = text;
      this.#table.add({ live, text, generation: live.content.generation });
    }
    this.#count("renewed");
  }

  /** It was used at that time: its facts last longer. */
  #touch(live: LiveSession, usedMs: number, nowMs: number): void {
    const content = { ...live.content, usedMs };
    const { epoch } = live;
    const facts = this.#makeFacts(
      content,
      this.#moment(content, nowMs, () => this.#isValid(live, epoch)),
    );
    // The claims are those that facts were made of before.
    if (isClaimFault(facts)) return;
    live.content = content;
    live.facts = facts;
    live.answer = { result: facts, setCookies: NONE };
    live.quietUntilMs = 0;
  }

  #quietUntil({ content, retryAtMs }: LiveSession, nowMs: number): number {
    const { refreshMs, refreshToken, accessExpiresMs, usedMs } = content;
    const never = this.#refresh === undefined || refreshToken === undefined;
    const refresh =
      never || refreshMs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(refreshMs, retryAtMs, nowMs + 1);
    const outageEnd =
      never || accessExpiresMs === undefined
        ? Number.POSITIVE_INFINITY
        : accessExpiresMs + this.#options.outage;
    return Math.min(
      usedMs + this.#options.idle / LIMITS.renewals,
      this.#idleEnd(content),
      this.#absoluteEnd(content),
      refresh,
      outageEnd,
    );
  }

  /** `now`: what it knows is past its time, so the request waits. `ahead`: it goes on meanwhile. */
  #refreshDue({ content, retryAtMs }: LiveSession, nowMs: number): "now" | "ahead" | undefined {
    const { refreshToken, refreshMs, accessExpiresMs } = content;
    if (this.#refresh === undefined || refreshToken === undefined) return undefined;
    if (refreshMs === undefined || nowMs < refreshMs) return undefined;
    if (accessExpiresMs !== undefined && nowMs >= accessExpiresMs) return "now";
    return nowMs < retryAtMs ? undefined : "ahead";
  }

  #refreshOnce(live: LiveSession): Promise<void> {
    if (live.refreshing !== undefined) return live.refreshing;
    if (this.#refresh === undefined || this.#deps.clock.now() < live.retryAtMs) {
      return Promise.resolve();
    }
    live.refreshing = this.#refresh(live.content)
      .then((refreshed) => this.#take(live, refreshed))
      .finally(() => {
        live.refreshing = undefined;
      });
    return live.refreshing;
  }

  async #take(live: LiveSession, refreshed: Refreshed): Promise<void> {
    const nowMs = this.#deps.clock.now();
    if ("content" in refreshed) {
      if (live.ended !== undefined) return;
      const fault = this.#adopt(live, refreshed.content, nowMs);
      if (fault === undefined) {
        this.#count("refreshed");
        return;
      }
      await this.#endBecause(live, fault.detail);
      return;
    }
    this.#count("refresh-failed");
    if ("ended" in refreshed) {
      await this.#endBecause(live, refreshed.ended);
      return;
    }
    live.retryAtMs = nowMs + LIMITS.retryMs;
    this.#deps.log.warn("a session could not be refreshed and goes on for now", {
      authenticator: this.#name,
      detail: refreshed.unavailable,
    });
  }

  async #endBecause(live: LiveSession, detail: string): Promise<void> {
    this.#deps.log.info("a session has ended with its refresh", {
      authenticator: this.#name,
      detail,
    });
    this.#over(live, "its provider has ended it");
    try {
      await this.#end(live, this.#deps.clock.now());
    } catch (error) {
      this.#deps.log.warn("an end of a session could not be told", {
        authenticator: this.#name,
        error: asError(error),
      });
    }
  }

  /** After waiting for a refresh that was due. */
  #afterRefresh(
    known: KnownCookie,
    { carried, stream }: { readonly carried: CarriedSession; readonly stream: boolean },
  ): SessionAnswer {
    const { live } = known;
    const nowMs = this.#deps.clock.now();
    const over = this.#overBecause(known, nowMs);
    if (over !== undefined) return this.#refuse("session-expired", over, carried);
    const { accessExpiresMs } = live.content;
    if (accessExpiresMs !== undefined && nowMs >= accessExpiresMs + this.#options.outage) {
      const detail = "the session could not be refreshed for longer than session.outage";
      return this.#refuse("identity-unavailable", detail, undefined);
    }
    return this.#answer(known, { carried, nowMs, stream });
  }

  /** The session with what a refresh brought. */
  #merge(content: SessionContent, tokens: SessionTokens): Refreshed {
    const nowMs = this.#deps.clock.now();
    const { claims } = tokens;
    const subject = content.claims["sub"];
    if (claims !== undefined && claims["sub"] !== subject) {
      return { ended: "the provider refreshed it for another subject" };
    }
    // A provider need not repeat how and when the person logged in (OpenID Connect Core section 12.2).
    const { acr, amr, auth_time: authTime } = content.claims;
    const kept =
      claims === undefined
        ? content.claims
        : keepClaims({ acr, amr, auth_time: authTime, ...claims }, this.#kept);
    const next: SessionContent = {
      ...content,
      claims: kept,
      sid: content.sid ?? tokens.sid,
      idToken: tokens.idToken ?? content.idToken,
      refreshToken: tokens.refreshToken ?? content.refreshToken,
      ...this.#times({ ...tokens, refreshToken: content.refreshToken }, nowMs),
      generation: content.generation + 1,
    };
    const fault = this.#faultOf(next);
    return fault === undefined ? { content: next } : { ended: fault.detail };
  }

  #times(
    { expiresAt, refreshToken }: Pick<SessionTokens, "expiresAt" | "refreshToken">,
    nowMs: number,
  ): Pick<SessionContent, "accessExpiresMs" | "refreshMs"> {
    if (refreshToken === undefined) return { accessExpiresMs: undefined, refreshMs: undefined };
    const accessExpiresMs =
      expiresAt === undefined ? nowMs + LIMITS.unsaidMs : Math.floor(expiresAt * 1000);
    // Of tokens that last hardly longer than that: half of their life, or they would be refreshed all the time.
    const left = Math.max(0, accessExpiresMs - nowMs);
    const refreshMs = accessExpiresMs - Math.min(this.#options.refreshAhead, Math.floor(left / 2));
    return { accessExpiresMs, refreshMs };
  }

  /** Why it cannot be a session; what is kept has to come out as it went in. */
  #faultOf(
    content: SessionContent,
  ): { readonly failure: Reason; readonly detail: string } | undefined {
    const again = readContent(writeContent(content));
    if (again === undefined) {
      return { failure: "invalid-claim", detail: "a claim is not well-formed text" };
    }
    const moment = {
      endsMs: this.#absoluteEnd(content),
      nowMs: content.beganMs,
      valid: () => true,
    };
    const facts = this.#makeFacts(again, moment);
    return isClaimFault(facts) ? { failure: facts.fault, detail: facts.detail } : undefined;
  }

  #over(live: LiveSession, because: string): void {
    if (live.ended !== undefined) return;
    live.ended = because;
    live.quietUntilMs = 0;
    this.#count("ended");
  }

  async #end(live: LiveSession, nowMs: number): Promise<void> {
    const { id } = live.content;
    this.#over(live, "ended by a logout");
    const endsMs = this.#absoluteEnd(live.content);
    const ttl = Math.max(1, endsMs - nowMs);
    await this.#standing.end({ by: "id", id }, nowMs, ttl);
    await this.#store.forget(id);
    await this.#revoke({ kind: "id", authenticator: this.#name, id }, endsMs);
  }

  /** Where that fails, it has ended in this machine all the same. */
  async #revoke(target: RevocationTarget, expiresMs: number): Promise<void> {
    try {
      await this.#deps.revoke?.(target, expiresMs);
    } catch (error) {
      this.#deps.log.error("an end of a session could not be told to proxies that follow", {
        authenticator: this.#name,
        error: asError(error),
      });
    }
  }

  async #endAll(end: SessionEnd, nowMs: number): Promise<void> {
    const meant = this.#table.meant(endDigest(end), nowMs);
    for (const live of meant) this.#over(live, "ended by its provider");
    await this.#standing.end(end, nowMs, this.#options.absolute);
    for (const live of meant) await this.#end(live, nowMs);
  }

  #heardOfEnd(digest: string, untilMs: number): void {
    for (const live of this.#table.meant(digest, untilMs)) this.#over(live, "ended by a logout");
  }

  #write(
    text: string,
    content: SessionContent,
    carried: readonly string[],
  ): readonly string[] | undefined {
    const maxAgeMs = this.#absoluteEnd(content) - this.#deps.clock.now();
    return this.#cookies.write(text, { maxAgeMs, carried });
  }

  #refuse(failure: Reason, detail: string, carried: CarriedSession | undefined): SessionAnswer {
    this.#count(failure === "session-expired" ? "expired" : "refused");
    const result: CredentialFailure = {
      failure,
      detail,
      authenticator: this.#name,
      costly: false,
    };
    // What is no good is taken away, so that the browser can begin anew. What may be good again stays.
    const keeps = failure === "identity-unavailable" || carried === undefined;
    return { result, setCookies: keeps ? NONE : this.#cookies.clear(carried.names) };
  }

  #idleEnd({ usedMs }: SessionContent): number {
    return usedMs + this.#options.idle;
  }

  #absoluteEnd({ beganMs }: SessionContent): number {
    return beganMs + this.#options.absolute;
  }

  #count(event: string): void {
    this.#events.with(this.#name, event).inc();
  }

  /** What others are told of a session that goes on: without it they judge by the cookie alone. */
  #tell(told: Promise<void>): void {
    told.catch((error: unknown) => {
      this.#deps.log.warn("others could not be told of a session", {
        authenticator: this.#name,
        error: asError(error),
      });
    });
  }
}

const IDLE = "past its idle lifetime";

const FORMER = Object.freeze({
  failure: "session-expired" as const,
  detail: "a former cookie of a session whose browser has a newer one",
});

const READ_FAULTS: Readonly<
  Record<
    Extract<Read, { fault: unknown }>["fault"],
    { readonly failure: Reason; readonly detail: string }
  >
> = {
  form: { failure: "invalid-session", detail: "not in the form of a sealed session" },
  changed: { failure: "invalid-session", detail: "changed, or sealed for something else" },
  "unknown-key": { failure: "session-expired", detail: "sealed under a key that is not known" },
  gone: { failure: "session-expired", detail: "not in the memory that it was kept in" },
};

function expired(detail: string): { readonly failure: Reason; readonly detail: string } {
  return { failure: "session-expired", detail };
}

/** What cannot be known is refused; the cookie stays. */
function memoryFailure(error: unknown): { readonly failure: Reason; readonly detail: string } {
  if (!isMemoryFault(error)) throw error;
  return { failure: "identity-unavailable", detail: error.message };
}

function isNewer(one: KnownCookie, other: KnownCookie): boolean {
  if (one.live === other.live)
    return one.generation > other.generation || one.text === one.live.text;
  return one.live.content.beganMs > other.live.content.beganMs;
}

function summaryOf({ content, facts }: LiveSession): SessionSummary {
  const { id, sid, idToken } = content;
  const { principal } = facts;
  return { id, subject: principal.subject, principal, sid, idToken };
}

/** One text of all Cookie fields: HTTP/2 has joined them already, HTTP/1.1 callers may send several. */
function cookieOf(fields: Fields): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "cookie") continue;
    if (found !== undefined) return getAllFields(fields, "cookie").join("; ");
    found = fields[index + 1];
  }
  return found;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
