/**
 * One request of a follower to one authority or relay, over `node:https` with our own certificate. The
 * server must have one of the authorities that we trust, for the name that was dialled; there is no
 * redirect, no proxy from the environment, no reuse of a connection, and nothing is unbounded.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { request } from "node:https";
import { isIP } from "node:net";
import { SallyportError } from "../../model/errors.ts";
import type { Timers } from "../../model/ports.ts";
import { connectionFault } from "../connection-fault.ts";
import { FEED_MEDIA_TYPE, FRAME_LIMITS } from "./feed-frames.ts";
import { FeedRefusal } from "./feed-refusal.ts";

/** Whom we are and whom we trust. PEM. */
export interface ClientIdentity {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly roots: readonly string[];
}

/** What one stream tells. None of them may throw, save `line`: that ends the stream with what it threw. */
export interface StreamEvents {
  opened(): void;
  /** Without its line feed, in memory of its own. */
  line(line: Buffer): void;
  /** Exactly once, and last. Undefined: the other side ended it in good order. */
  ended(error: Error | undefined): void;
}

const LIMITS = {
  /** To the head of the answer. */
  headMs: 10_000,
  /** Bytes of a problem document that are looked at. */
  problem: 4096,
  /** For a bundle of 32 MiB over a slow line. */
  bundleMs: 60_000,
} as const;

/** Returns what ends it: then `ended` comes no more. */
export function openStream(
  url: URL,
  identity: ClientIdentity,
  { events, timers }: { readonly events: StreamEvents; readonly timers: Timers },
): () => void {
  let over = false;
  const splitter = new LineSplitter((line) => events.line(line));
  const finish = (error: Error | undefined): void => {
    if (over) return;
    over = true;
    callOff();
    sent.destroy();
    events.ended(error);
  };
  const sent = send(url, identity);
  const callOff = timers.after(LIMITS.headMs, () => finish(failed(url, "it does not answer")));
  sent.on("error", (error) => finish(failed(url, connectionFault(error), error)));
  sent.on("response", (response) => {
    callOff();
    response.on("error", (error) => finish(failed(url, connectionFault(error), error)));
    if (response.statusCode !== 200 || response.headers["content-type"] !== FEED_MEDIA_TYPE) {
      void readProblem(response).then((text) => finish(failed(url, text)));
      return;
    }
    events.opened();
    response.on("data", (chunk: Buffer) => {
      if (over) return;
      try {
        splitter.take(chunk);
      } catch (error) {
        finish(error instanceof Error ? error : new Error(String(error)));
      }
    });
    response.on("end", () =>
      finish(splitter.empty ? undefined : failed(url, "a frame is cut off")),
    );
    response.on("close", () => finish(failed(url, "the connection was closed")));
  });
  sent.end();
  return () => {
    if (over) return;
    over = true;
    callOff();
    sent.destroy();
  };
}

/** Resolves once it was taken. Rejects with `feed-failed`. */
export async function postBytes(
  url: URL,
  identity: ClientIdentity,
  { body, timers }: { readonly body: Buffer; readonly timers: Timers },
): Promise<void> {
  await exchangeBytes(url, identity, { body, maxBytes: LIMITS.problem, timers, status: 204 });
}

/** A whole body of at most `maxBytes`. Rejects with `feed-failed`. */
export function fetchBytes(
  url: URL,
  identity: ClientIdentity,
  { maxBytes, timers }: { readonly maxBytes: number; readonly timers: Timers },
): Promise<Buffer> {
  return exchangeBytes(url, identity, { maxBytes, timers, status: 200 });
}

interface Exchanged {
  /** Left out: nothing is sent. */
  readonly body?: Buffer;
  readonly maxBytes: number;
  readonly timers: Timers;
  /** Of the answer that is wanted. */
  readonly status: number;
}

function exchangeBytes(
  url: URL,
  identity: ClientIdentity,
  { body, maxBytes, timers, status }: Exchanged,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const sent = send(url, identity, body === undefined ? "GET" : "POST");
    const callOff = timers.after(LIMITS.bundleMs, () => fail("it takes too long"));
    const fail = (what: string, cause?: Error): void => {
      callOff();
      sent.destroy();
      reject(failed(url, what, cause));
    };
    sent.on("error", (error) => fail(connectionFault(error), error));
    sent.on("response", (response) => {
      response.on("error", (error) => fail(connectionFault(error), error));
      if (response.statusCode !== status) {
        void readProblem(response).then((text) => fail(text));
        return;
      }
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxBytes) fail(`more than ${maxBytes} bytes`);
        else chunks.push(chunk);
      });
      response.on("end", () => {
        callOff();
        resolve(Buffer.concat(chunks));
      });
      response.on("close", () => fail("the connection was closed"));
    });
    sent.end(body);
  });
}

function send(
  url: URL,
  { certificatePem, keyPem, roots }: ClientIdentity,
  method: "GET" | "POST" = "GET",
): ClientRequest {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return request({
    host,
    port: url.port === "" ? 443 : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method,
    agent: false,
    headers: { host: url.host, accept: FEED_MEDIA_TYPE },
    ca: [...roots],
    cert: certificatePem,
    key: keyPem,
    minVersion: "TLSv1.3",
    rejectUnauthorized: true,
    // RFC 6066 section 3: no address in SNI. The certificate is still compared with it.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
}

/** What to do where this machine is not let in, by the code of the answer. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  [
    "missing-certificate",
    "it saw no certificate of this machine: does something in between end TLS?",
  ],
  ["disabled", "this machine was disabled: `sallyport workloads enable NAME` lets it in again"],
  [
    "not-a-proxy",
    "this machine is enrolled as a workload, and only proxies follow the feed: `sallyport workloads remove NAME`, then `enrol NAME --kind proxy`",
  ],
  [
    "unknown",
    "the authority does not know this machine: `sallyport workloads enrol NAME --kind proxy`, then `sallyport enrol` here",
  ],
  [
    "superseded",
    "the authority knows a newer identity of this machine: if this is the right one, `sallyport workloads re-enrol NAME`, then `sallyport enrol` here",
  ],
]);

async function readProblem(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > LIMITS.problem) break;
    }
  } catch {
    // What came says enough, or nothing.
  }
  return problemText(response.statusCode ?? 0, text);
}

/** The code of a problem document and what to do, or the status alone. */
export function problemText(statusCode: number, text: string): string {
  const status = `it answers ${statusCode}`;
  let code: unknown;
  try {
    ({ code } = JSON.parse(text) as { code?: unknown });
  } catch {
    return status;
  }
  if (typeof code !== "string" || !/^[a-z-]{1,40}$/.test(code)) return status;
  const remedy = REMEDIES.get(code);
  return `${status} (${code})${remedy === undefined ? "" : `: ${remedy}`}`;
}

/** Bytes → lines, each at most as long as a frame may be. */
export class LineSplitter {
  readonly #line: (line: Buffer) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(line: (line: Buffer) => void) {
    this.#line = line;
  }

  get empty(): boolean {
    return this.#heldBytes === 0;
  }

  /** Throws FeedRefusal, and what `line` throws. */
  take(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      const piece = chunk.subarray(start, end === -1 ? undefined : end);
      if (this.#heldBytes + piece.length > FRAME_LIMITS.line) throw new FeedRefusal("too-large");
      this.#held.push(piece);
      this.#heldBytes += piece.length;
      if (end === -1) return;
      const line = Buffer.concat(this.#held);
      this.#held = [];
      this.#heldBytes = 0;
      this.#line(line);
      start = end + 1;
    }
  }
}

function failed(url: URL, what: string, cause?: unknown): SallyportError {
  return new SallyportError("feed-failed", `${url.origin}: ${what}`, { cause });
}
