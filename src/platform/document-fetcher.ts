/**
 * Fetches JSON documents that the configuration names: discovery documents and key sets. How such a
 * request is bounded is in `bounded-exchange.ts`.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { DocumentFetcher } from "../model/ports.ts";
import { exchangeJson } from "./json-exchange.ts";
import { NO_CREDENTIALS, type OwnCredentials } from "./own-credentials.ts";

/**
 * Throws SallyportError `fetch-failed`, which names origin and path of the URL and the rule.
 * `own`: whom we trust, and what we show of ourselves to every URL that is fetched.
 */
export function createDocumentFetcher(own: OwnCredentials = NO_CREDENTIALS): DocumentFetcher {
  return {
    async fetchJson(url, limits) {
      const { tls, headers } = own.current();
      const { server } = limits;
      const { body, headers: answered } = await exchangeJson(
        { url: new URL(url), method: "GET", tls, headers, server, accepted: [200] },
        limits,
      );
      return { body, maxAgeSeconds: freshness(answered) };
    },
  };
}

/** RFC 9111 section 4.2: seconds that the answer may be used for; undefined when it does not say. */
function freshness(headers: IncomingHttpHeaders): number | undefined {
  const directives = (headers["cache-control"] ?? "")
    .split(",")
    .map((directive) => directive.trim().toLowerCase());
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const maxAge = directives.find((directive) => /^max-age="?\d{1,10}"?$/.test(directive));
  if (maxAge === undefined) return undefined;
  const age = /^\d{1,10}$/.test(headers.age ?? "") ? Number(headers.age) : 0;
  return Math.max(0, Number(maxAge.replaceAll(/\D/g, "")) - age);
}
