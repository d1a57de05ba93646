/**
 * The key on one request. When the service's ingress does not take it, another is asked for once; when it asks
 * for a nonce, the proof is made again with it, once. After that its answer is the answer: nothing here can loop.
 */
import type { SentCredentials } from "../http/exchange.ts";
import type { Fields, ResponseHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { getAllFields, getField } from "../wire/fields.ts";
import type { EgressRoute } from "./egress-route.ts";
import type { HeldKey } from "./held-key.ts";
import { KeyFault } from "./key-fault.ts";
import { readNonce } from "./server-nonce.ts";

const NOW: Promise<undefined> = Promise.resolve(undefined);

/** RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9. A quoted text, or a token. */
const INVALID_TOKEN = /\berror\s*=\s*(?:"invalid_token"|invalid_token\b)/;
const USE_NONCE = /\berror\s*=\s*(?:"use_dpop_nonce"|use_dpop_nonce\b)/;

export class SentKey implements SentCredentials {
  readonly #route: EgressRoute;
  readonly #method: string;
  /** Origin-form. */
  readonly #path: string;
  #key: HeldKey;
  #renewed = false;
  #nonced = false;

  constructor(
    key: HeldKey,
    route: EgressRoute,
    request: { readonly method: string; readonly path: string },
  ) {
    this.#key = key;
    this.#route = route;
    this.#method = request.method;
    this.#path = request.path;
  }

  fields(): Fields {
    const { authorization, ath } = this.#key;
    const { prover, origin, nonce } = this.#route;
    if (prover === undefined) return ["authorization", authorization];
    const url = origin + this.#path;
    const proof = prover({ method: this.#method, url, ath, nonce: nonce.current });
    return ["authorization", authorization, "dpop", proof];
  }

  refused({ fields }: ResponseHead): Promise<Reason | undefined> | undefined {
    const challenge = getAllFields(fields, "www-authenticate").join(", ");
    if (USE_NONCE.test(challenge))
      return this.#withNonce(readNonce(getField(fields, "dpop-nonce")));
    if (this.#renewed || !INVALID_TOKEN.test(challenge)) return undefined;
    this.#renewed = true;
    return this.#route.keeper.instead(this.#key)?.then((next) => {
      if (next instanceof KeyFault) return next.reason;
      this.#key = next;
      return undefined;
    });
  }

  #withNonce(nonce: string | undefined): Promise<undefined> | undefined {
    if (nonce === undefined || this.#nonced || this.#route.prover === undefined) return undefined;
    this.#nonced = true;
    this.#route.nonce.current = nonce;
    return NOW;
  }
}
