/**
 * One request of ours to somebody that the configuration names, and the JSON that comes back.
 *
 * Bounded in time (one deadline for the whole exchange, so that a trickling provider is cut off too)
 * and in size. Follows no redirect, asks for no compression, takes nothing but strict JSON labelled as
 * such, keeps nothing, and closes the connection. What went wrong is said by origin and path of the
 * URL and the rule; nothing that was sent or received is in it.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps, type RequestOptions } from "node:https";
import { SallyportError } from "../model/errors.ts";
import { type JsonValue, parseJsonBytes } from "../model/json.ts";
import type { ServerTrust } from "../model/ports.ts";

export interface Outgoing {
  readonly url: URL;
  /** Left out: GET. */
  readonly post?: { readonly type: string; readonly body: string } | undefined;
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM texts; what is left out is the runtime's. */
  readonly tls?: ExchangeTls | undefined;
  /** In place of the authorities in `tls`, and of the host of the URL. */
  readonly server?: ServerTrust | undefined;
  /** Statuses that carry what was asked for. */
  readonly accepted: readonly number[];
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
  readonly body: JsonValue;
  readonly headers: IncomingHttpHeaders;
}

/** `application/json`, `application/jwk-set+json`, … (RFC 6839 section 3.1), with any parameters. */
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json[ \t]*(?:;|$)/i;

/** Rejects with SallyportError `fetch-failed`. */
export function exchange(outgoing: Outgoing, limits: ExchangeLimits): Promise<Exchanged> {
  const { url, post } = outgoing;
  return new Promise((resolve, reject) => {
    const fail = (rule: string, cause?: unknown): void => {
      settle();
      reject(
        new SallyportError("fetch-failed", `${url.origin}${url.pathname}: ${rule}`, { cause }),
      );
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
      const refusal = server?.fault() ?? whyNotRead(response, outgoing.accepted, limits.maxBytes);
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
        try {
          const body = parseJsonBytes(Buffer.concat(chunks));
          settle();
          resolve({ body, headers: response.headers });
        } catch (error) {
          fail("the answer is not strict JSON", error);
        }
      });
    });
    sent.end(post?.body);
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

/** Undefined where it cannot even begin: the runtime throws over a certificate or key that is none. */
function start(
  outgoing: Outgoing,
  reject: (error: SallyportError) => void,
): ReturnType<typeof requestHttp> | undefined {
  try {
    return open(outgoing);
  } catch (cause) {
    const { origin, pathname } = outgoing.url;
    // What the runtime says of a key stays in the cause: logs print messages and codes.
    const rule = "our certificate, its key or the authorities cannot be used";
    reject(new SallyportError("fetch-failed", `${origin}${pathname}: ${rule}`, { cause }));
    return undefined;
  }
}

function open({ url, post, headers, tls }: Outgoing): ReturnType<typeof requestHttp> {
  const options = {
    method: post === undefined ? "GET" : "POST",
    // No agent: such requests are rare, and a kept connection would only go stale.
    agent: false,
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      ...(post === undefined
        ? {}
        : { "content-type": post.type, "content-length": Buffer.byteLength(post.body) }),
      ...headers,
    },
  } as const;
  if (url.protocol !== "https:") return requestHttp(url, options);
  // Said here so that no environment variable can switch the check of certificates off.
  return requestHttps(url, { ...options, ...tls, rejectUnauthorized: true });
}

function whyNotRead(
  response: IncomingMessage,
  accepted: readonly number[],
  maxBytes: number,
): string | undefined {
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) return `answered ${status}; redirects are not followed`;
  if (!accepted.includes(status)) return `answered ${status}`;
  if (!JSON_TYPE.test(response.headers["content-type"] ?? "")) return "the answer is not JSON";
  const coding = response.headers["content-encoding"] ?? "identity";
  if (coding.toLowerCase() !== "identity")
    return "the answer is compressed, which was not asked for";
  const length = Number(response.headers["content-length"] ?? 0);
  return length > maxBytes ? `the answer is larger than ${maxBytes} bytes` : undefined;
}

/** The system's or TLS's code, such as ECONNREFUSED. The message may name more than it should. */
function codeOf(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  return /^[A-Z0-9_]{1,64}$/.test(code) ? ` (${code})` : "";
}
