/**
 * Where keys are asked for: as the configuration says, or by the issuer's metadata (RFC 8414). Refuses metadata
 * of another issuer, and an endpoint that would be asked in plain HTTP elsewhere than on loopback.
 */
import { isJsonObject, parseJsonBytes } from "../model/json.ts";
import { exchangeFault, type exchange, type ExchangeTls } from "../platform/bounded-exchange.ts";
import type { EgressAuthorityOptions } from "./egress-options.ts";
import { isSafeUrl } from "./safe-url.ts";

const LIMITS = {
  timeoutMs: 5000,
  metadataBytes: 256 * 1024,
} as const;

export interface TokenEndpoint {
  /** Rejects with SallyportError `fetch-failed`. Asked once for all who wait. */
  find(): Promise<string>;
  /** What was found did not answer: look again next time. */
  forget(): void;
}

export interface TokenEndpointDeps {
  readonly send: typeof exchange;
  readonly tls: () => ExchangeTls;
}

export function createTokenEndpoint(
  { issuer, tokenEndpoint }: Pick<EgressAuthorityOptions, "issuer" | "tokenEndpoint">,
  deps: TokenEndpointDeps,
): TokenEndpoint {
  if (tokenEndpoint !== undefined) {
    return { find: () => Promise.resolve(tokenEndpoint), forget: () => undefined };
  }
  if (issuer === undefined) throw new TypeError("not checked");
  let found: Promise<string> | undefined;
  return {
    find() {
      if (found !== undefined) return found;
      const looking = discover(issuer, deps);
      found = looking;
      looking.catch(() => {
        if (found === looking) found = undefined;
      });
      return looking;
    },
    forget() {
      found = undefined;
    },
  };
}

async function discover(issuer: string, { send, tls }: TokenEndpointDeps): Promise<string> {
  const url = metadataUrl(issuer);
  const { status, body } = await send(
    { url, method: "GET", headers: { accept: "application/json" }, tls: tls() },
    { timeoutMs: LIMITS.timeoutMs, maxBytes: LIMITS.metadataBytes },
  );
  if (status !== 200) throw exchangeFault(url, `answered ${status}`);
  const { issuer: said, token_endpoint: endpoint } = metadataOf(url, body);
  // Section 3.3: what one server says does not count for another.
  if (said !== issuer) throw exchangeFault(url, "it is the metadata of another issuer");
  if (typeof endpoint !== "string" || !isSafeUrl(endpoint)) {
    throw exchangeFault(url, "token_endpoint is no https: URL (http: on loopback)");
  }
  return endpoint;
}

function metadataOf(url: URL, body: Uint8Array): Record<string, unknown> {
  try {
    const value = parseJsonBytes(body);
    if (isJsonObject(value)) return value;
  } catch {
    // Said below.
  }
  throw exchangeFault(url, "it is no JSON object");
}

/** Section 3.1: between the host and the path of the issuer. */
function metadataUrl(issuer: string): URL {
  const { origin, pathname } = new URL(issuer);
  return new URL(`${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, "")}`);
}
