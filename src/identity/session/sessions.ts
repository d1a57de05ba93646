/**
 * Browser sessions of one authenticator: begun by a login, known by a cookie, renewed while they are used, refreshed
 * ahead of what the provider's tokens last, and ended by a logout, by the provider, or by time.
 *
 * Refuses cookies that are not whole, not ours, or another authenticator's, provider's or client's, sessions past their idle or absolute
 * lifetime, those that were ended, and former cookies of a session once its browser has a newer one.
 */
import type { CredentialFacts, CredentialFailure } from "../../model/facts.ts";
import type { CanonicalRequest, Fields } from "../../model/http.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { Principal } from "../../model/principal.ts";
import type { Reason } from "../../model/reason.ts";
import type { RevocationTarget } from "../../model/revocation.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { SessionAnswer } from "../../model/verifiers.ts";
import { getAllFields } from "../../wire/fields.ts";
import type { OidcOptions } from "../oidc-options.ts";
import type { SessionContent } from "./session-content.ts";
import { type CarriedSession, createSessionCookies } from "./session-cookies.ts";
import { createSessionFacts } from "./session-facts.ts";
import { FORMER, IDLE, memoryFailure, type SessionFault } from "./session-faults.ts";
import { LiveSessions } from "./session-live.ts";
import { createSessionLookup } from "./session-lookup.ts";
import { createSessionMerge } from "./session-merge.ts";
import type { SessionProvider, SessionTokens } from "./session-provider.ts";
import { createSessionRefresher, type Refreshed } from "./session-refresh.ts";
import { sessionScope } from "./session-scope.ts";
import { createSessionSealer } from "./session-seal.ts";
import { settle } from "./session-settle.ts";
import {
  createSessionStanding,
  endDigest,
  type SessionEnd,
  type Standing,
} from "./session-standing.ts";
import { createCookieStore, createMemoryStore } from "./session-store.ts";
import type { KnownCookie, LiveSession } from "./session-table.ts";
import { SessionTimes } from "./session-times.ts";

/** What a login brought: claims of the verified ID token, with those of userinfo where asked for. */
export interface SessionBegin extends SessionTokens {
  readonly claims: JsonObject;
}

export type Begun =
  | { readonly setCookies: readonly string[]; readonly id: string; readonly principal: Principal }
  /** The claims are not what the configuration asks for, or it cannot be kept. */
  | SessionFault;

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

/** What a login is beside what it brought. */
export interface SessionLogin {
  readonly nowMs: number;
  /** Of the browser that it is for, whose former session ends with that. */
  readonly request?: SessionRequest;
  /** When the browser was sent to the provider: a logout since then means this login too. Left out: now. */
  readonly sentMs?: number;
  /** Whether revocations deny a credential that was issued when the login was. */
  readonly revoked?: (facts: CredentialFacts) => boolean;
}

/** A request as far as sessions are concerned. */
export type SessionRequest = Pick<CanonicalRequest, "head">;

export interface Sessions {
  /**
   * Begins one; `login-refused` where the provider or a revocation has ended it before it began.
   * Rejects only with SallyportError where the memory that it is kept in cannot be reached or is full.
   */
  begin(tokens: SessionBegin, login: SessionLogin): Promise<Begun>;
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

/** After a refresh that failed. */
const RETRY_MS = 5000;

/** Longer than a login is let take: ten minutes on its way, ten for its ID token. */
const LOGIN_MS = 1_800_000;

const NONE: readonly string[] = Object.freeze([]);

type SessionsOptions = OidcOptions & { readonly name: string };

export function createSessions(options: SessionsOptions, deps: SessionsDeps): Sessions {
  return new BrowserSessions(options, deps);
}

/** A request that carries a session, as far as it is answered here. */
interface Asking {
  readonly carried: CarriedSession;
  readonly nowMs: number;
  readonly stream: boolean;
}

class BrowserSessions implements Sessions {
  readonly #name: string;
  readonly #options: SessionsOptions["session"];
  /** Whether revocations name people as the provider does. */
  readonly #subjectIsSub: boolean;
  readonly #deps: SessionsDeps;
  readonly #times: SessionTimes;
  readonly #cookies;
  readonly #store;
  readonly #standing;
  readonly #live: LiveSessions;
  readonly #find;
  readonly #merge;
  readonly #refresh: ((content: SessionContent) => Promise<Refreshed>) | undefined;
  readonly #events;

  constructor(options: SessionsOptions, deps: SessionsDeps) {
    const { name, session, principal, client } = options;
    const { shared, provider, metrics, clock } = deps;
    this.#name = name;
    this.#options = session;
    this.#subjectIsSub = principal.subject === "sub";
    this.#deps = deps;
    const times = new SessionTimes(session, provider !== undefined);
    this.#times = times;
    this.#cookies = createSessionCookies({
      name,
      sameSite: session.cookie.sameSite,
      insecure: session.cookie.insecurePlaintext,
    });
    const scope = sessionScope(options);
    const sealer = createSessionSealer(deps.keys, `session ${session.store} ${scope}`);
    const storeDeps = { scope, sealer, shared };
    const store =
      session.store === "cookie" ? createCookieStore(storeDeps) : createMemoryStore(storeDeps);
    this.#store = store;
    const standing = createSessionStanding({
      ...deps,
      name,
      scope,
      ended: (digest, untilMs) => {
        for (const one of this.#live.meant(digest, untilMs)) this.#over(one, "ended by a logout");
      },
    });
    this.#standing = standing;
    const makeFacts = createSessionFacts({ name, clientId: client.id, principal });
    const live = new LiveSessions({
      times,
      makeFacts,
      write: (content) => store.renewed(content),
      hears: () => standing.hears(),
    });
    this.#live = live;
    this.#find = createSessionLookup({ live, store, standing, times });
    const merge = createSessionMerge(principal, { times, makeFacts });
    this.#merge = merge;
    this.#refresh =
      provider &&
      createSessionRefresher({
        ...deps,
        name,
        provider,
        store,
        merge: (content, tokens) => merge.refreshed(content, tokens, clock.now()),
        ttl: (content) => times.absoluteEnd(content) - clock.now(),
      });
    this.#events = metrics.counter(
      "sallyport_sessions",
      "What became of browser sessions: begun, renewed, refreshed, refresh-failed, ended, expired, refused.",
      ["authenticator", "event"],
    );
  }

  async begin(tokens: SessionBegin, login: SessionLogin): Promise<Begun> {
    const { nowMs, request } = login;
    const content = this.#merge.begun(tokens, nowMs);
    if ("failure" in content) return content;
    const issuedMs = issuedAt(tokens, login);
    const over = await this.#standing.overBefore(content, issuedMs);
    if (over !== undefined) return refusedLogin(over);
    const text = await this.#store.keep(content, this.#options.absolute);
    const carried = request === undefined ? undefined : this.#carried(request);
    const setCookies = this.#write(text, content, carried?.names ?? NONE);
    if (setCookies === undefined) {
      const detail = "larger than cookies may be; session.store: memory takes it";
      return { failure: "session-too-large", detail };
    }
    // The former session of the browser must not live on where nobody can log it out.
    if (request !== undefined) await this.end(request, nowMs);
    const entered = this.#live.enter(content, text, nowMs);
    if ("failure" in entered) return entered;
    const { live } = entered;
    const { facts } = live;
    const meanwhile =
      login.revoked?.({ ...facts, issuedAt: Math.floor(issuedMs / 1000) }) === true
        ? "revoked since the login"
        : // From here on a logout finds it; one that came while it was kept did not.
          ((await this.#standing.overBefore(content, issuedMs)) ?? live.ended);
    if (meanwhile !== undefined) {
      await this.#end(live, nowMs);
      return refusedLogin(meanwhile);
    }
    this.#count("begun");
    return { setCookies, id: content.id, principal: facts.principal };
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
    await this.#revoke(target, nowMs + this.#endKeptMs());
  }

  verify(
    request: SessionRequest,
    nowMs: number,
    stream = false,
  ): SessionAnswer | undefined | Promise<SessionAnswer | undefined> {
    const header = cookieOf(request.head.fields);
    if (header === undefined) return undefined;
    const quick = this.#live.byHeader(header);
    // The usual case: the newest cookie of a session of which nothing is due. A look-up, and no allocation.
    if (quick !== undefined && quick.text === quick.live.text) {
      const { answer, quietUntilMs } = quick.live;
      if (nowMs < quietUntilMs && this.#standing.hears()) return answer;
    }
    const carried = this.#cookies.read(header);
    if (carried === undefined) return undefined;
    if (carried.fault !== undefined) return this.#refuse("invalid-session", carried.fault, carried);
    return settle(this.#find(carried.texts, nowMs), (known) => {
      if (known === undefined) throw new TypeError("a session without a text has a fault");
      if ("failure" in known) return this.#refuse(known.failure, known.detail, carried);
      if (carried.texts.length === 1) this.#live.rememberHeader(header, known);
      return this.#serve(known, { carried, nowMs, stream });
    });
  }

  close(): void {
    this.#standing.close();
    this.#live.clear();
  }

  #carried({ head }: SessionRequest): CarriedSession | undefined {
    const header = cookieOf(head.fields);
    return header === undefined ? undefined : this.#cookies.read(header);
  }

  /** What a request with a known session is answered, and what is due. */
  #serve(known: KnownCookie, asking: Asking): SessionAnswer | Promise<SessionAnswer> {
    const { live } = known;
    const { nowMs } = asking;
    const over = this.#overBecause(known, nowMs);
    if (over === IDLE) return this.#usedElsewhere(known, asking);
    if (over !== undefined) return this.#refuse("session-expired", over, asking.carried);
    const due = this.#times.refreshDue(live.content, nowMs);
    if (due === "now") return this.#refreshOnce(live).then(() => this.#refreshed(known, asking));
    if (due === "ahead") void this.#refreshOnce(live);
    return this.#answer(known, asking);
  }

  #answer(known: KnownCookie, { carried, nowMs, stream }: Asking): SessionAnswer {
    const { live } = known;
    if (!stream) {
      this.#confirm(known, nowMs);
      this.#renew(live, nowMs);
    }
    live.quietUntilMs = this.#times.quietUntil(live.content, live.retryAtMs, nowMs);
    // The cookie that the browser has is not the newest: it gets that with every answer until it has it.
    if (stream || (known.text === live.text && carried.texts.length === 1)) return live.answer;
    const setCookies = this.#write(live.text, live.content, carried.names) ?? NONE;
    return { result: live.facts, setCookies };
  }

  #overBecause({ live, generation }: KnownCookie, nowMs: number): string | undefined {
    const { content, ended, confirmedMs } = live;
    if (ended !== undefined) return ended;
    if (nowMs >= this.#times.absoluteEnd(content)) return "past its absolute lifetime";
    if (confirmedMs !== undefined) {
      const seen = { generation: content.generation, atMs: confirmedMs };
      if (this.#times.isFormer(generation, seen, nowMs)) return FORMER.detail;
    }
    return nowMs >= this.#times.idleEnd(content) ? IDLE : undefined;
  }

  /** Idle as far as this process knows: another may have renewed it. */
  #usedElsewhere(known: KnownCookie, asking: Asking): SessionAnswer | Promise<SessionAnswer> {
    const { live } = known;
    const { nowMs, carried } = asking;
    const judge = ({ ended, usedMs }: Standing): SessionAnswer | Promise<SessionAnswer> => {
      if (ended) this.#over(live, "ended by a logout");
      else if (usedMs > live.content.usedMs) this.#live.touch(live, usedMs, nowMs);
      const over = this.#overBecause(known, nowMs);
      if (over !== undefined) return this.#refuse("session-expired", over, carried);
      return this.#serve(known, asking);
    };
    const failed = (error: unknown): SessionAnswer => {
      const { failure, detail } = memoryFailure(error);
      return this.#refuse(failure, detail, carried);
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
    if (generation === 0 || live.confirmedMs !== undefined || text !== live.text) return;
    live.confirmedMs = nowMs;
    const seen = { generation, atMs: nowMs };
    const ttl = Math.max(1, this.#times.absoluteEnd(live.content) - nowMs);
    this.#tell(this.#standing.seen(live.content.id, seen, ttl));
  }

  #renew(live: LiveSession, nowMs: number): void {
    if (nowMs < this.#times.renewal(live.content)) return;
    this.#live.renew(live, nowMs);
    this.#tell(this.#standing.used(live.content.id, nowMs, this.#options.idle));
    this.#count("renewed");
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
    // Logged out meanwhile: what came is of use to nobody.
    if (live.ended !== undefined) return;
    const nowMs = this.#deps.clock.now();
    if ("content" in refreshed) {
      const fault = this.#live.adopt(live, refreshed.content, nowMs);
      if (fault !== undefined) return await this.#endBecause(live, fault.detail);
      return this.#count("refreshed");
    }
    this.#count("refresh-failed");
    if ("ended" in refreshed) return await this.#endBecause(live, refreshed.ended);
    live.retryAtMs = nowMs + RETRY_MS;
    this.#deps.log.warn("a session could not be refreshed and goes on for now", {
      authenticator: this.#name,
      detail: refreshed.unavailable,
    });
  }

  /** After waiting for a refresh that was due. */
  #refreshed(known: KnownCookie, asking: Asking): SessionAnswer {
    const { carried } = asking;
    const nowMs = this.#deps.clock.now();
    const over = this.#overBecause(known, nowMs);
    if (over !== undefined) return this.#refuse("session-expired", over, carried);
    if (this.#times.isOutOfDate(known.live.content, nowMs)) {
      const detail = "the session could not be refreshed for longer than session.outage";
      return this.#refuse("identity-unavailable", detail, carried);
    }
    return this.#answer(known, { ...asking, nowMs });
  }

  async #endBecause(live: LiveSession, detail: string): Promise<void> {
    const { log, clock } = this.#deps;
    log.info("a session has ended with its refresh", { authenticator: this.#name, detail });
    this.#over(live, "its provider has ended it");
    try {
      await this.#end(live, clock.now());
    } catch (error) {
      const fields = { authenticator: this.#name, error: asError(error) };
      log.warn("an end of a session could not be told", fields);
    }
  }

  async #end(live: LiveSession, nowMs: number): Promise<void> {
    const { id } = live.content;
    this.#over(live, "ended by a logout");
    const endsMs = this.#times.absoluteEnd(live.content);
    await this.#standing.end({ by: "id", id }, nowMs, Math.max(1, endsMs - nowMs));
    await this.#store.forget(id);
    await this.#revoke({ kind: "id", authenticator: this.#name, id }, endsMs);
  }

  async #endAll(end: SessionEnd, nowMs: number): Promise<void> {
    const meant = this.#live.meant(endDigest(end), nowMs);
    for (const live of meant) this.#over(live, "ended by its provider");
    await this.#standing.end(end, nowMs, this.#endKeptMs());
    for (const live of meant) await this.#end(live, nowMs);
  }

  /** As long as a session that it means may live, or a login that it means may be under way. */
  #endKeptMs(): number {
    return Math.max(this.#options.absolute, LOGIN_MS);
  }

  #over(live: LiveSession, because: string): void {
    if (this.#live.over(live, because)) this.#count("ended");
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

  #write(
    text: string,
    content: SessionContent,
    carried: readonly string[],
  ): readonly string[] | undefined {
    const maxAgeMs = this.#times.absoluteEnd(content) - this.#deps.clock.now();
    return this.#cookies.write(text, { maxAgeMs, carried });
  }

  #refuse(failure: Reason, detail: string, { names }: CarriedSession): SessionAnswer {
    this.#count(failure === "session-expired" ? "expired" : "refused");
    const authenticator = this.#name;
    const result: CredentialFailure = { failure, detail, authenticator, costly: false };
    // What is no good is taken away, so that the browser can begin anew. What may be good again stays.
    const stays = failure === "identity-unavailable" || failure === "memory-unavailable";
    return { result, setCookies: stays ? NONE : this.#cookies.clear(names) };
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

/** By the provider's clock or by ours, whichever is earlier: `iat` may be of a token that was made late. */
function issuedAt({ claims }: SessionBegin, { nowMs, sentMs = nowMs }: SessionLogin): number {
  const { iat } = claims;
  return Math.min(nowMs, sentMs, typeof iat === "number" ? iat * 1000 : nowMs);
}

function refusedLogin(detail: string): SessionFault {
  return { failure: "login-refused", detail };
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
