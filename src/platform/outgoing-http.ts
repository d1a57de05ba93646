/**
 * Requests of ours to a server that the configuration names: token endpoints, userinfo, and their like.
 *
 * Bounded in time (one deadline for the whole exchange, so that a server that trickles is cut off too) and in
 * size. Follows no redirect, asks for no compression, keeps nothing, and closes the connection.
 */
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { SallyportError } from "../model/errors.ts";

export interface OutgoingRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface OutgoingLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface OutgoingAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Rejects with SallyportError `fetch-failed`, which names origin and path of the URL and the rule. */
export type SendOutgoing = (
  request: OutgoingRequest,
  limits: OutgoingLimits,
) => Promise<OutgoingAnswer>;

export const sendOutgoing: SendOutgoing = (request, limits) =>
  new Promise((resolve, reject) => {
    const url = new URL(request.url);
    const fail = (rule: string, cause?: unknown): void => {
      settle();
      reject(
        new SallyportError("fetch-failed", `${url.origin}${url.pathname}: ${rule}`, { cause }),
      );
    };
    const start = url.protocol === "https:" ? requestHttps : requestHttp;
    const outgoing = start(url, {
      method: request.method,
      // No agent: a kept connection between rare requests would only go stale.
      agent: false,
      // Said here so that no environment variable can switch the check of certificates off.
      rejectUnauthorized: true,
      headers: { ...request.headers, "accept-encoding": "identity" },
    });
    const deadline = setTimeout(
      () => fail(`no complete answer within ${limits.timeoutMs} ms`),
      limits.timeoutMs,
    );
    const settle = (): void => {
      clearTimeout(deadline);
      outgoing.destroy();
    };
    outgoing.on("error", (error) => fail(`the connection failed${codeOf(error)}`, error));
    outgoing.on("response", (response) => {
      const refusal = whyNotRead(response, limits.maxBytes);
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
        resolve({
          status: response.statusCode ?? 0,
          headers: singleHeaders(response),
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.end(request.body);
  });

function whyNotRead(response: IncomingMessage, maxBytes: number): string | undefined {
  const status = response.statusCode ?? 0;
  // Where it points to was named by nobody, and what we send may be a secret of the client.
  if (status >= 300 && status < 400) return `answered ${status}; redirects are not followed`;
  const coding = response.headers["content-encoding"] ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    return "the answer is compressed, which was not asked for";
  }
  const length = Number(response.headers["content-length"] ?? 0);
  return length > maxBytes ? `the answer is larger than ${maxBytes} bytes` : undefined;
}

function singleHeaders({ headers }: IncomingMessage): Record<string, string> {
  const single: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") single[name] = value;
  }
  return single;
}

/** The system's or TLS's code, such as ECONNREFUSED. The message may name more than it should. */
function codeOf(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  return /^[A-Z0-9_]{1,64}$/.test(code) ? ` (${code})` : "";
}
