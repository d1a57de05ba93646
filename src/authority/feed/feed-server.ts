/**
 * Serves the feed to those who follow: `GET /feed`, `GET /snapshot`, `GET /bundles/<hash>`, and hears
 * from them which API keys were used (`POST /key-uses`). The same for
 * the authority and for a relay, which differ in where the frames come from.
 *
 * Each signed frame is one buffer for all. Who reads slowly holds up nobody and is cut off once more
 * waits for it than it may; it comes again and goes on where it stood. Nobody is served without a
 * certificate of ours, by a name that is let in, and each is asked again as things change.
 */
import type { Clock, Counter, Family, Gauge, Log, Metrics, Timers } from "../../model/ports.ts";
import type { PeerCertificate, PeerTls } from "../../model/peer-tls.ts";
import type { BodyReader, Exchange } from "../../http/exchange.ts";
import { readWholeBody } from "../../http/whole-body.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { FeedPosition } from "../../model/feed.ts";
import { FEED_MEDIA_TYPE } from "./feed-frames.ts";
import type { Bridge } from "./feed-publisher.ts";
import { KEY_USES_LIMITS, KEY_USES_PATH, readKeyUses } from "./key-uses.ts";
import type { FrameLog, LiveKind, LogObserver, LogSnapshot } from "./frame-log.ts";

/** Where the frames come from. */
export interface FeedSource {
  readonly log: FrameLog;
  /** Rejects where there is none now. */
  snapshot(): Promise<LogSnapshot>;
  /** Left out, or undefined: only a snapshot helps. */
  bridge?(from: FeedPosition): Promise<Bridge | undefined>;
}

export type FollowerAdmission =
  | { readonly name: string; readonly refused?: undefined }
  | { readonly refused: string };

export interface FeedServerDeps {
  readonly source: FeedSource;
  /** Whether the holder of this certificate may follow now. Rejects where that cannot be known. */
  readonly admit: (certificate: PeerCertificate) => Promise<FollowerAdmission>;
  /** Takes which API keys followers say were used. */
  readonly used: (uses: readonly ApiKeyUse[]) => void;
  /** The bytes of a bundle that the proxy of this name is to run; undefined: not this one. */
  readonly bundle: (hash: string, name: string) => Promise<Uint8Array | undefined>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Most followers at once. Default 10 000. */
  readonly maxFollowers?: number | undefined;
}

export interface FeedServer {
  /** Answers a request to one of its paths; false: it is for none of them. */
  handle(exchange: Exchange): boolean;
  /** Asks again whether these may follow, or all. */
  recheck(names?: ReadonlySet<string>): void;
  /** Ends all streams. */
  close(): void;
  readonly followers: number;
}

const LIMITS = {
  maxFollowers: 10_000,
  /** Of one name: one that is being replaced and one that it is replaced by, twice. */
  perName: 4,
  /** Bytes that may wait for one follower behind a snapshot or a slow network. */
  waiting: 4 * 1024 * 1024,
  /** For the opening with its snapshot: a follower that is slower holds memory for too long. */
  openingMs: 120_000,
  /** All are asked again so often whether they may follow, one after the other. */
  recheckMs: 30_000,
  /** Answers with bundles at once: each is held until it is read. */
  bundles: 64,
} as const;

const HASH = /^\/bundles\/(sha256-[A-Za-z0-9_-]{43})$/;

export function createFeedServer(deps: FeedServerDeps): FeedServer {
  return new Server(deps);
}

/** Why a stream ended from our side; a label of the metric. */
type CutOff = "slow" | "certificate" | "not-admitted" | "replaced" | "closing";

interface ServerMetrics {
  readonly followers: Gauge;
  readonly bytes: Counter;
  readonly frames: Family<Counter>;
  readonly openings: Family<Counter>;
  readonly cutOff: Family<Counter>;
  readonly refused: Family<Counter>;
}

class Server implements FeedServer, LogObserver {
  readonly #deps: FeedServerDeps;
  readonly #streams = new Set<FollowerStream>();
  readonly #byName = new Map<string, Set<FollowerStream>>();
  readonly #metrics: ServerMetrics;
  readonly #end: () => void;
  #callOff: () => void = () => undefined;
  #bundles = 0;
  /** Requests that are being looked at: they count as followers. */
  #opening = 0;
  #closed = false;

  constructor(deps: FeedServerDeps) {
    this.#deps = deps;
    this.#metrics = serverMetrics(deps.metrics);
    this.#end = deps.source.log.observe(this);
    this.#planRecheck();
  }

  get followers(): number {
    return this.#streams.size;
  }

  handle(exchange: Exchange): boolean {
    const { method, target } = exchange.head;
    const [path = "", query = ""] = target.split("?", 2);
    if (path === KEY_USES_PATH) return this.#takeUses(exchange);
    const hash = HASH.exec(path)?.[1];
    if (path !== "/feed" && path !== "/snapshot" && hash === undefined) return false;
    if (method !== "GET") problem(exchange, 405, "method-not-allowed");
    else if (exchange.head.bodyKind !== "none") problem(exchange, 400, "unexpected-body");
    else void this.#answer(exchange, { path, query, hash });
    return true;
  }

  recheck(names?: ReadonlySet<string>): void {
    for (const stream of this.#streams) {
      if (names === undefined || names.has(stream.name)) void this.#askAgain(stream);
    }
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
    this.#end();
    for (const stream of this.#streams) stream.cut("closing");
  }

  // LogObserver

  line(kind: LiveKind, line: Buffer): void {
    const nowMs = this.#deps.clock.now();
    for (const stream of this.#streams) {
      // Looked at with each proof of freshness: a certificate ends while its connection lasts.
      if (kind === "current" && stream.refusal(nowMs)) stream.cut("certificate");
      else stream.live(kind, line);
    }
    if (this.#streams.size > 0) this.#metrics.frames.with(kind).inc(this.#streams.size);
  }

  broken(): void {
    for (const stream of this.#streams) stream.cut("replaced");
  }

  // Requests

  async #answer(
    exchange: Exchange,
    asked: { readonly path: string; readonly query: string; readonly hash: string | undefined },
  ): Promise<void> {
    try {
      const name = await this.#admitted(exchange);
      if (name === undefined || exchange.gone) return;
      if (asked.hash !== undefined) await this.#sendBundle(exchange, asked.hash, name);
      else await this.#open(exchange, name, asked);
    } catch (error) {
      this.#deps.log.warn("a follower cannot be served now", {
        error: error instanceof Error ? error : new Error(String(error)),
      });
      problem(exchange, 503, "not-available");
    }
  }

  #takeUses(exchange: Exchange): true {
    if (exchange.head.method !== "POST") {
      problem(exchange, 405, "method-not-allowed");
      return true;
    }
    readWholeBody(exchange, KEY_USES_LIMITS.body, ({ bytes, fault }) => {
      if (fault === undefined) void this.#noteUses(exchange, bytes);
      else problem(exchange, 400, "malformed");
    });
    return true;
  }

  async #noteUses(exchange: Exchange, body: Buffer): Promise<void> {
    try {
      const name = await this.#admitted(exchange);
      if (name === undefined || exchange.gone) return;
      const uses = readKeyUses(body);
      if (uses === undefined) {
        problem(exchange, 400, "malformed");
        return;
      }
      this.#deps.used(uses);
      exchange.reply(204, [], "");
    } catch {
      problem(exchange, 503, "not-available");
    }
  }

  /** Its name; undefined: it has been answered. */
  async #admitted(exchange: Exchange): Promise<string | undefined> {
    const { tls } = exchange.connection.peer;
    const refusal = tls?.refusal(this.#deps.clock.now());
    const certificate = tls?.certificate;
    if (certificate === undefined || refusal !== undefined) {
      this.#refuse(exchange, 403, refusal ?? "missing-certificate");
      return undefined;
    }
    const admission = await this.#deps.admit(certificate);
    if (admission.refused === undefined) return admission.name;
    this.#refuse(exchange, 403, admission.refused);
    return undefined;
  }

  #refuse(exchange: Exchange, status: number, code: string): void {
    this.#metrics.refused.with(code).inc();
    problem(exchange, status, code);
  }

  async #sendBundle(exchange: Exchange, hash: string, name: string): Promise<void> {
    if (this.#bundles >= LIMITS.bundles) {
      problem(exchange, 503, "busy");
      return;
    }
    this.#bundles += 1;
    try {
      const bytes = await this.#deps.bundle(hash, name);
      if (bytes === undefined) problem(exchange, 404, "unknown-bundle");
      else await sendBytes(exchange, bytes);
    } finally {
      this.#bundles -= 1;
    }
  }

  async #open(
    exchange: Exchange,
    name: string,
    { path, query }: { readonly path: string; readonly query: string },
  ): Promise<void> {
    const { maxFollowers = LIMITS.maxFollowers, source } = this.#deps;
    if (this.#closed || this.#streams.size + this.#opening >= maxFollowers) {
      this.#refuse(exchange, 503, "too-many-followers");
      return;
    }
    const from = path === "/feed" ? positionOf(query) : undefined;
    this.#opening += 1;
    let opening: Opening;
    try {
      opening = await this.#prepare(from);
    } finally {
      this.#opening -= 1;
    }
    if (exchange.gone || this.#closed) return;
    // From here on no turn passes: what is sent and what comes live follow each other.
    const rest = source.log.after({ epoch: source.log.epoch, number: opening.upTo });
    if (rest === undefined || opening.epoch !== source.log.epoch) {
      problem(exchange, 503, "not-available");
      return;
    }
    this.#metrics.openings.with(opening.how).inc();
    const live = path === "/feed";
    const stream = new FollowerStream(exchange, name, this.#hooks());
    if (live) this.#register(stream);
    const { log } = source;
    stream.begin([...log.hellos, ...opening.lines], [...rest, ...log.closing], !live);
  }

  async #prepare(from: FeedPosition | undefined): Promise<Opening> {
    const { source } = this.#deps;
    const { epoch } = source.log;
    if (from?.epoch === epoch) {
      // One that is ahead waits for us: another authority was faster.
      if (source.log.after(from) !== undefined) {
        return { how: "resumed", epoch, upTo: from.number, lines: [] };
      }
      const bridge = await source.bridge?.(from);
      if (bridge !== undefined) return { how: "bridged", epoch, ...bridge };
    }
    const { number, lines } = await source.snapshot();
    return { how: "snapshot", epoch: source.log.epoch, upTo: number, lines };
  }

  #register(stream: FollowerStream): void {
    this.#streams.add(stream);
    this.#metrics.followers.set(this.#streams.size);
    const own = this.#byName.get(stream.name) ?? new Set();
    this.#byName.set(stream.name, own);
    own.add(stream);
    const [oldest] = own;
    if (own.size > LIMITS.perName) oldest?.cut("replaced");
  }

  #hooks(): StreamHooks {
    const { timers } = this.#deps;
    return {
      timers,
      sent: (bytes) => this.#metrics.bytes.inc(bytes),
      ended: (stream, why) => {
        if (why !== undefined) this.#metrics.cutOff.with(why).inc();
        if (!this.#streams.delete(stream)) return;
        this.#metrics.followers.set(this.#streams.size);
        const own = this.#byName.get(stream.name);
        own?.delete(stream);
        if (own?.size === 0) this.#byName.delete(stream.name);
      },
    };
  }

  // Asking again

  #planRecheck(): void {
    this.#callOff = this.#deps.timers.after(LIMITS.recheckMs, () => {
      void this.#recheckAll().finally(() => {
        if (!this.#closed) this.#planRecheck();
      });
    });
  }

  /** One after the other: all at once would be a burst of questions to the store. */
  async #recheckAll(): Promise<void> {
    for (const stream of this.#streams) {
      // oxlint-disable-next-line no-await-in-loop -- see above
      await this.#askAgain(stream);
    }
  }

  /** What cannot be known now was known a moment ago, and freshness ends with the store: it goes on. */
  async #askAgain(stream: FollowerStream): Promise<void> {
    const { certificate } = stream;
    if (certificate === undefined) return;
    try {
      const admission = await this.#deps.admit(certificate);
      if (admission.refused !== undefined) stream.cut("not-admitted");
    } catch {
      // Asked again with the next round.
    }
  }
}

interface Opening {
  readonly how: "resumed" | "bridged" | "snapshot";
  readonly epoch: string;
  readonly upTo: number;
  readonly lines: readonly Buffer[];
}

interface StreamHooks {
  readonly timers: Timers;
  sent(bytes: number): void;
  ended(stream: FollowerStream, why: CutOff | undefined): void;
}

/** One follower: what waits for it, and whether it takes more. */
class FollowerStream implements BodyReader {
  readonly name: string;
  readonly certificate: PeerCertificate | undefined;
  readonly #exchange: Exchange;
  readonly #tls: PeerTls | undefined;
  readonly #hooks: StreamHooks;
  /** The opening, of which a snapshot is shared with others; then what came meanwhile. */
  #opening: readonly Buffer[] = [];
  #opened = 0;
  #waiting: { readonly kind: LiveKind; readonly line: Buffer }[] = [];
  #waitingBytes = 0;
  #room = true;
  #once = false;
  #over = false;
  #callOff: () => void = () => undefined;

  constructor(exchange: Exchange, name: string, hooks: StreamHooks) {
    this.#exchange = exchange;
    this.name = name;
    this.#tls = exchange.connection.peer.tls;
    this.certificate = this.#tls?.certificate;
    this.#hooks = hooks;
  }

  /** `once`: the stream ends with what is said here. */
  begin(opening: readonly Buffer[], rest: readonly Buffer[], once: boolean): void {
    const { stream } = this.#exchange;
    this.#opening = [...opening, ...rest];
    this.#once = once;
    stream.attach(this);
    stream.read(0, { unpaced: true });
    if (this.#over) return;
    const fields = ["content-type", FEED_MEDIA_TYPE, "cache-control", "no-store"];
    stream.begin(200, fields, { bodyKind: "chunked", contentLength: -1 });
    this.#callOff = this.#hooks.timers.after(LIMITS.openingMs, () => {
      if (this.#opened < this.#opening.length) this.cut("slow");
    });
    this.#pump();
  }

  refusal(nowMs: number): boolean {
    return this.#tls?.refusal(nowMs) !== undefined;
  }

  live(kind: LiveKind, line: Buffer): void {
    if (this.#over) return;
    const last = this.#waiting.at(-1);
    // Of proofs of freshness that wait only the last one says anything.
    if (kind === "current" && last?.kind === "current") {
      this.#waiting.pop();
      this.#waitingBytes -= last.line.length;
    }
    this.#waiting.push({ kind, line });
    this.#waitingBytes += line.length;
    if (this.#waitingBytes > LIMITS.waiting) this.cut("slow");
    else this.#pump();
  }

  cut(why: CutOff): void {
    if (this.#over) return;
    this.#finish(why);
    this.#exchange.stream.abort();
  }

  #pump(): void {
    const { stream } = this.#exchange;
    let sent = 0;
    while (this.#room && !this.#over) {
      const line = this.#next();
      if (line === undefined) break;
      sent += line.length;
      this.#room = stream.write(line);
    }
    if (sent > 0) {
      this.#hooks.sent(sent);
      stream.flush();
    }
    if (this.#once && !this.#over && this.#opened === this.#opening.length) {
      this.#finish(undefined);
      stream.end(undefined);
    }
  }

  #next(): Buffer | undefined {
    const line = this.#opening[this.#opened];
    if (line !== undefined) {
      this.#opened += 1;
      return line;
    }
    if (this.#opening.length > 0 && !this.#once) {
      // A snapshot that others may have dropped by now.
      this.#opening = [];
      this.#opened = 0;
      this.#callOff();
    }
    const next = this.#waiting.shift();
    if (next !== undefined) this.#waitingBytes -= next.line.length;
    return next?.line;
  }

  #finish(why: CutOff | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#opening = [];
    this.#opened = 0;
    this.#waiting = [];
    this.#callOff();
    this.#hooks.ended(this, why);
  }

  // BodyReader

  bodyChunk(): void {
    // A request with a body was refused.
  }

  bodyIdle(): void {
    // See `bodyChunk`.
  }

  bodyEnd(): void {
    // See `bodyChunk`.
  }

  bodyFault(): void {
    // See `bodyChunk`.
  }

  drained(): void {
    this.#room = true;
    this.#pump();
  }

  callerGone(): void {
    this.#finish(undefined);
  }
}

/** `epoch=…&since=…`; undefined: it says none, or none that can be read, and starts over. */
function positionOf(query: string): FeedPosition | undefined {
  const parameters = new URLSearchParams(query);
  const epoch = parameters.get("epoch") ?? "";
  const since = parameters.get("since") ?? "";
  const fits = /^[\x21-\x7e]{1,64}$/.test(epoch) && /^(?:0|[1-9][0-9]{0,15})$/.test(since);
  return fits ? { epoch, number: Number(since) } : undefined;
}

/** Ends when all of it has been taken, or the caller is gone. */
function sendBytes(exchange: Exchange, bytes: Uint8Array): Promise<void> {
  const { stream } = exchange;
  return new Promise((resolve) => {
    let at = 0;
    const pump = (): void => {
      let room = true;
      while (room && at < bytes.length) {
        // A copy: the engine takes what it is given.
        const piece = Buffer.from(bytes.subarray(at, at + 64 * 1024));
        at += piece.length;
        room = stream.write(piece);
      }
      if (at < bytes.length) return;
      stream.end(undefined);
      resolve();
    };
    stream.attach({
      bodyChunk() {},
      bodyIdle() {},
      bodyEnd() {},
      bodyFault() {},
      drained: pump,
      callerGone: resolve,
    });
    stream.read(0, { unpaced: true });
    if (exchange.gone) {
      resolve();
      return;
    }
    const fields = [
      "content-type",
      "application/octet-stream",
      // Known by its hash, it never changes; and it is not for everybody.
      "cache-control",
      "private, max-age=31536000, immutable",
    ];
    stream.begin(200, fields, { bodyKind: "length", contentLength: bytes.length });
    pump();
  });
}

/** RFC 9457. */
export function problem(exchange: Exchange, status: number, code: string): void {
  if (exchange.gone) return;
  const fields = ["content-type", "application/problem+json", "cache-control", "no-store"];
  exchange.reply(status, fields, JSON.stringify({ status, code }));
}

function serverMetrics(metrics: Metrics): ServerMetrics {
  return {
    followers: metrics
      .gauge("sallyport_feed_followers", "Followers that are connected now.")
      .with(),
    bytes: metrics
      .counter("sallyport_feed_sent_bytes_total", "Bytes of frames that were given to followers.")
      .with(),
    frames: metrics.counter(
      "sallyport_feed_sent_frames_total",
      "Live frames that were given to followers, by kind.",
      ["kind"],
    ),
    openings: metrics.counter(
      "sallyport_feed_openings_total",
      "Followers that came, by how they were brought up to date: resumed, bridged or with a snapshot.",
      ["how"],
    ),
    cutOff: metrics.counter(
      "sallyport_feed_cut_off_total",
      "Followers that were cut off, by why.",
      ["why"],
    ),
    refused: metrics.counter(
      "sallyport_feed_refused_followers_total",
      "Requests for the feed that were refused, by why.",
      ["why"],
    ),
  };
}
