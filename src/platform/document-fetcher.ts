/**
 * Fetches JSON documents that the configuration names: discovery documents and key sets.
 *
 * Bounded in time (one deadline for the whole exchange, so that a trickling provider is cut off
 * too) and in size. Follows no redirect, asks for no compression, takes nothing but strict JSON
 * labelled as such, keeps nothing, and closes the connection.
 */
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import type { DocumentFetcher } from "../model/ports.ts";

interface Fetched {
  readonly body: unknown;
  readonly maxAgeSeconds: number | undefined;
}

interface FetchLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Throws SallyportError `fetch-failed`, which names origin and path of the URL and the rule. */
export function createDocumentFetcher(): DocumentFetcher {
  return { fetchJson: (url, limits) => fetchJson(new URL(url), limits) };
}

/** `application/json`, `application/jwk-set+json`, … (RFC 6839 section 3.1), with any parameters. */
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json[ \t]*(?:;|$)/i;

function fetchJson(url: URL, limits: FetchLimits): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const fail = (rule: string, cause?: unknown): void => {
      settle();
      reject(
        new SallyportError("fetch-failed", `${url.origin}${url.pathname}: ${rule}`, { cause }),
      );
    };
    const start = url.protocol === "https:" ? requestHttps : requestHttp;
    const outgoing = start(url, {
      // No agent: keys are fetched every few minutes, a kept connection would only go stale.
      agent: false,
      // Said here so that no environment variable can switch the check of certificates off.
      rejectUnauthorized: true,
      headers: { accept: "application/json", "accept-encoding": "identity" },
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
        try {
          const body = parseJsonBytes(Buffer.concat(chunks));
          settle();
          resolve({ body, maxAgeSeconds: freshness(response) });
        } catch (error) {
          fail("the answer is not strict JSON", error);
        }
      });
    });
    outgoing.end();
  });
}

function whyNotRead(response: IncomingMessage, maxBytes: number): string | undefined {
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) return `answered ${status}; redirects are not followed`;
  if (status !== 200) return `answered ${status}`;
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

/** RFC 9111 section 4.2: seconds that the answer may be used for; undefined when it does not say. */
function freshness(response: IncomingMessage): number | undefined {
  const directives = (response.headers["cache-control"] ?? "")
    .split(",")
    .map((directive) => directive.trim().toLowerCase());
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const maxAge = directives.find((directive) => /^max-age="?\d{1,10}"?$/.test(directive));
  if (maxAge === undefined) return undefined;
  const age = /^\d{1,10}$/.test(response.headers.age ?? "") ? Number(response.headers.age) : 0;
  return Math.max(0, Number(maxAge.replaceAll(/\D/g, "")) - age);
}
