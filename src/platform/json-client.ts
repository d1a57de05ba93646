/**
 * Posts a form or JSON to an endpoint that the configuration names and takes JSON back: introspection,
 * TokenReview, token endpoints. How such a request is bounded is in `bounded-exchange.ts`.
 */
import type { JsonClient } from "../model/ports.ts";
import { exchange } from "./bounded-exchange.ts";
import { NO_CREDENTIALS, type OwnCredentials } from "./own-credentials.ts";

const FORM = "application/x-www-form-urlencoded";

/** Rejects with SallyportError `fetch-failed`, which names origin and path of the URL and the rule. */
export function createJsonClient(own: OwnCredentials = NO_CREDENTIALS): JsonClient {
  return {
    async post(url, message, limits) {
      const { tls, headers } = own.current();
      const post =
        "form" in message
          ? { type: FORM, body: new URLSearchParams({ ...message.form }).toString() }
          : { type: "application/json", body: JSON.stringify(message.json) };
      const { body } = await exchange(
        {
          url: new URL(url),
          post,
          tls,
          headers: { ...headers, ...message.headers },
          accepted: message.accepted ?? [200],
        },
        limits,
      );
      return body;
    },
  };
}
