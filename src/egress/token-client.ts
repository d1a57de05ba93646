/**
 * Asks the authority for a key for one service (RFC 6749 section 4.4): who we are, which service, which scopes,
 * narrowed to what, and bound to what. Takes nothing that is not bound as it was asked for.
 */
import type { Clock } from "../model/ports.ts";
import { SallyportError } from "../model/errors.ts";
import type { exchange, ExchangeTls } from "../platform/bounded-exchange.ts";
import type { DpopProver } from "./dpop-prover.ts";
import { tokenHash } from "./dpop-prover.ts";
import type { EgressServiceOptions } from "./egress-options.ts";
import type { HeldKey } from "./held-key.ts";
import { type KeyFault, refused, unavailable } from "./key-fault.ts";
import { readNonce } from "./server-nonce.ts";
import { readTokenAnswer, type TokenAnswer, type TokenError } from "./token-answer.ts";

const LIMITS = {
  /** Milliseconds for a whole answer: who calls waits for as long while there is no key. */
  timeoutMs: 5000,
  /** Bytes of an answer: a key with many roles has some 8 000. */
  answerBytes: 64 * 1024,
  /** Times that a nonce is taken over for one key (RFC 9449 section 8). */
  nonces: 1,
} as const;

/** What goes with a question as proof of who asks. A secret. */
export interface PresentedIdentity {
  readonly form: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ExchangeTls;
}

export interface TokenClientDeps {
  readonly clock: Pick<Clock, "monotonic">;
  /** Who we are, as it is now. Throws SallyportError where that cannot be had. */
  readonly identity: () => PresentedIdentity;
  /** URL of the token endpoint. Rejects with SallyportError where it cannot be found out. */
  readonly endpoint: () => Promise<string>;
  /** Undefined where keys are not bound to a key of ours. */
  readonly prover: DpopProver | undefined;
  readonly send: typeof exchange;
}

/** What is asked for. */
export type WantedKey = Pick<EgressServiceOptions, "scopes" | "bind" | "details">;

/** `service`: by its name at the authority. What is returned never rejects. */
export function createTokenClient(
  service: string,
  wanted: WantedKey,
  deps: TokenClientDeps,
): () => Promise<HeldKey | KeyFault> {
  return async () => {
    try {
      const obtainedAt = deps.clock.monotonic();
      const answer = await ask(formOf(service, wanted), deps, {
        nonce: undefined,
        left: LIMITS.nonces,
      });
      return "reason" in answer ? answer : heldKey(answer, wanted, obtainedAt);
    } catch (error) {
      if (error instanceof SallyportError) return unavailable(error.message);
      throw error;
    }
  };
}

function formOf(service: string, { scopes, details }: WantedKey): Record<string, string> {
  return {
    grant_type: "client_credentials",
    audience: service,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(details === undefined ? {} : { authorization_details: JSON.stringify(details) }),
  };
}

async function ask(
  form: Readonly<Record<string, string>>,
  deps: TokenClientDeps,
  nonces: { readonly nonce: string | undefined; readonly left: number },
): Promise<TokenAnswer | KeyFault> {
  const { prover, send } = deps;
  const { nonce, left } = nonces;
  const url = new URL(await deps.endpoint());
  const identity = deps.identity();
  const proof = prover?.({ method: "POST", url: `${url.origin}${url.pathname}`, nonce });
  const { status, headers, body } = await send(
    {
      url,
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
        ...identity.headers,
        ...(proof === undefined ? {} : { dpop: proof }),
      },
      body: new URLSearchParams({ ...form, ...identity.form }).toString(),
      tls: identity.tls,
    },
    { timeoutMs: LIMITS.timeoutMs, maxBytes: LIMITS.answerBytes },
  );
  const answer = readTokenAnswer(status, body);
  if ("token" in answer) return answer;
  if ("fault" in answer)
    return unavailable(`the authority's answer cannot be taken: ${answer.fault}`);
  const asked = readNonce(headers["dpop-nonce"]);
  if (answer.error === "use_dpop_nonce" && asked !== undefined && left > 0) {
    return await ask(form, deps, { nonce: asked, left: left - 1 });
  }
  return faultOf(status, answer);
}

/** Codes by which an authority says that it cannot answer now, and not that it will not. */
const PASSING: ReadonlySet<string> = new Set(["temporarily_unavailable", "server_error"]);

function faultOf(status: number, { error, description }: TokenError): KeyFault {
  const said = error === undefined ? `status ${status}` : `${error} (status ${status})`;
  const detail = `the authority answered ${said}${description === undefined ? "" : `: ${description}`}`;
  const final = error !== undefined && !PASSING.has(error) && status < 500 && status !== 429;
  return final ? refused(detail) : unavailable(detail);
}

function heldKey(
  { token, type, expiresInSeconds }: TokenAnswer,
  { bind }: WantedKey,
  obtainedAt: number,
): HeldKey | KeyFault {
  const expected = bind === "dpop" ? "dpop" : "bearer";
  // RFC 9449 section 5: a server that knows nothing of proofs would give one that is good in any hands.
  if (type !== expected) {
    return unavailable(
      `the authority's answer cannot be taken: a key of another token_type than ${expected}`,
    );
  }
  return {
    authorization: `${bind === "dpop" ? "DPoP" : "Bearer"} ${token}`,
    ath: bind === "dpop" ? tokenHash(token) : undefined,
    obtainedAt,
    expiresAt: obtainedAt + expiresInSeconds * 1000,
  };
}
