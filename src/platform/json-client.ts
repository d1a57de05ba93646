/**
 * Posts a form or JSON to an endpoint that the configuration names and takes JSON back: introspection,
 * TokenReview, token endpoints. How such a request is bounded is in `bounded-exchange.ts`.
 */
import type { JsonClient } from "../model/ports.ts";
import { exchangeJson } from "./json-exchange.ts";
import { NO_CREDENTIALS, type OwnCredentials } from "./own-credentials.ts";

const FORM = "application/x-www-form-urlencoded";

/** Rejects with SallyportError `fetch-failed`, which names origin and path of the URL and the rule. */
export function createJsonClient(own: OwnCredentials = NO_CREDENTIALS): JsonClient {
  return {
    async post(url, message, limits) {
      const { tls, headers } = own.current();
      const [type, text] =
        "form" in message
          ? [FORM, new URLSearchParams({ ...message.form }).toString()]
          : ["application/json", JSON.stringify(message.json)];
      const { body } = await exchangeJson(
        {
          url: new URL(url),
          method: "POST",
          headers: { "content-type": type, ...headers, ...message.headers },
          body: text,
          tls,
          accepted: message.accepted ?? [200],
        },
        limits,
      );
      return body;
    },
  };
}
