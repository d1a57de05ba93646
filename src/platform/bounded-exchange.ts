/**
 * One request of ours to somebody that the configuration names, and what comes back: documents, questions
 * about tokens, token endpoints.
 *
 * Bounded in time (one deadline for the whole exchange, so that a trickling server is cut off too) and
 * in size. Follows no redirect (where it leads was named by nobody, and what we send may be a secret),
 * asks for no compression, keeps nothing, and closes the connection. What went wrong is said by origin
 * and path of the URL (or as the caller says) and the rule; nothing that was sent or received is in it.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps, type RequestOptions } from "node:https";
import { SallyportError } from "../model/errors.ts";
import type { ServerTrust } from "../model/ports.ts";

export interface Outgoing {
  readonly url: URL;
  readonly method: "GET" | "POST" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** How the place is named in what went wrong, where its path may be a secret. */
  readonly shown?: string | undefined;
  /** PEM texts; what is left out is the runtime's. */
  readonly tls?: ExchangeTls | undefined;
  /** In place of the authorities in `tls`, and of the host of the URL. */
  readonly server?: ServerTrust | undefined;
  /** Why an answer is not read, by its head; undefined: it is. */
  readonly refuse?: (status: number, headers: IncomingHttpHeaders) => string | undefined;
}

export interface ExchangeTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly checkServerIdentity?: NonNullable<RequestOptions["checkServerIdentity"]>;
}

export interface ExchangeLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface Exchanged {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Rejects with SallyportError `fetch-failed`. */
export function exchange(outgoing: Outgoing, limits: ExchangeLimits): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const fail = (rule: string, cause?: unknown): void => {
      settle();
      reject(exchangeFault(outgoing.shown ?? outgoing.url, rule, cause));
    };
    const server = outgoing.server === undefined ? undefined : verified(outgoing.server);
    const sent = start({ ...outgoing, tls: { ...outgoing.tls, ...server?.options } }, reject);
    if (sent === undefined) return;
    const deadline = setTimeout(
      () => fail(`no complete answer within ${limits.timeoutMs} ms`),
      limits.timeoutMs,
    );
    const settle = (): void => {
      clearTimeout(deadline);
      sent.destroy();
    };
    sent.on("error", (error) => fail(`the connection failed${codeOf(error)}`, error));
    sent.on("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      const refusal =
        server?.fault() ??
        whyNotRead(response, limits.maxBytes) ??
        outgoing.refuse?.(status, headers);
      if (refusal !== undefined) return fail(refusal);
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > limits.maxBytes) fail(`the answer is larger than ${limits.maxBytes} bytes`);
        else chunks.push(chunk);
      });
      response.on("error", (error) => fail(`the connection failed${codeOf(error)}`, error));
      response.on("close", () => fail("the connection closed within the answer"));
      response.on("end", () => {
        if (!response.complete) return fail("the connection closed within the answer");
        settle();
        resolve({ status, headers, body: Buffer.concat(chunks) });
      });
    });
    sent.end(outgoing.body);
  });
}

/** How the server is verified, and afterwards what was wrong with it. */
function verified({ ca, check }: ServerTrust): {
  readonly options: ExchangeTls;
  fault(): string | undefined;
} {
  // An empty text would stand for the authorities of the runtime.
  if (ca === "") throw new TypeError("no authority, so no server can be verified");
  if (check === undefined) return { options: { ca }, fault: () => undefined };
  let found: string | undefined = "the server's certificate was not looked at";
  return {
    options: {
      ca,
      checkServerIdentity(_host, { raw }) {
        found = check(raw);
        return found === undefined ? undefined : new Error(found);
      },
    },
    // Where a runtime did not ask, nothing is taken from the answer.
    fault: () => found,
  };
}

/** What is said of an exchange that failed, or brought what is of no use. */
export function exchangeFault(place: URL | string, rule: string, cause?: unknown): SallyportError {
  const named = typeof place === "string" ? place : `${place.origin}${place.pathname}`;
  return new SallyportError("fetch-failed", `${named}: ${rule}`, { cause });
}

/** Undefined where it cannot even begin: the runtime throws over a certificate or key that is none. */
function start(
  outgoing: Outgoing,
  reject: (error: SallyportError) => void,
): ReturnType<typeof requestHttp> | undefined {
  try {
    return open(outgoing);
  } catch (cause) {
    // What the runtime says of a key stays in the cause: logs print messages and codes.
    const rule = "our certificate, its key or the authorities cannot be used";
    reject(exchangeFault(outgoing.shown ?? outgoing.url, rule, cause));
    return undefined;
  }
}

function open({ url, method, headers, body, tls }: Outgoing): ReturnType<typeof requestHttp> {
  const options = {
    method,
    // No agent: such requests are rare, and a kept connection would only go stale.
    agent: false,
    headers: {
      ...headers,
      "accept-encoding": "identity",
      ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
    },
  } as const;
  if (url.protocol !== "https:") return requestHttp(url, options);
  // Said here so that no environment variable can switch the check of certificates off.
  return requestHttps(url, { ...options, ...tls, rejectUnauthorized: true });
}

function whyNotRead({ statusCode: status = 0, headers }: IncomingMessage, maxBytes: number) {
  // 304 leads nowhere: whoever asked with a condition knows what to do with it (RFC 9110 section 15.4.5).
  if (status >= 300 && status < 400 && status !== 304)
    return `answered ${status}; redirects are not followed`;
  const coding = headers["content-encoding"] ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    return "the answer is compressed, which was not asked for";
  }
  const length = Number(headers["content-length"] ?? 0);
  return length > maxBytes ? `the answer is larger than ${maxBytes} bytes` : undefined;
}

/** The system's or TLS's code, such as ECONNREFUSED. The message may name more than it should. */
function codeOf(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  return /^[A-Z0-9_]{1,64}$/.test(code) ? ` (${code})` : "";
}
