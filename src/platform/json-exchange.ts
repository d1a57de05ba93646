/** An exchange that takes nothing but strict JSON, labelled as such, with a status that was asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { type JsonValue, parseJsonBytes } from "../model/json.ts";
import { exchange, exchangeFault, type ExchangeLimits, type Outgoing } from "./bounded-exchange.ts";

export interface JsonExchanged {
  readonly body: JsonValue;
  readonly headers: IncomingHttpHeaders;
}

/** `application/json`, `application/jwk-set+json`, … (RFC 6839 section 3.1), with any parameters. */
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json[ \t]*(?:;|$)/i;

/** Rejects with SallyportError `fetch-failed`. `accepted`: statuses that carry what was asked for. */
export async function exchangeJson(
  outgoing: Omit<Outgoing, "refuse"> & { readonly accepted: readonly number[] },
  limits: ExchangeLimits,
): Promise<JsonExchanged> {
  const { url, accepted } = outgoing;
  const { body, headers } = await exchange(
    {
      ...outgoing,
      headers: { accept: "application/json", ...outgoing.headers },
      refuse(status, { "content-type": type = "" }) {
        if (!accepted.includes(status)) return `answered ${status}`;
        return JSON_TYPE.test(type) ? undefined : "the answer is not JSON";
      },
    },
    limits,
  );
  try {
    return { body: parseJsonBytes(body), headers };
  } catch (error) {
    throw exchangeFault(url, "the answer is not strict JSON", error);
  }
}
