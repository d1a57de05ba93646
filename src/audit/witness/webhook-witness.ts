/**
 * A witness that is told by a POST: any server that keeps what it gets. It proves nothing by itself; an
 * auditor compares what it kept with the log. Refuses every answer but a 2xx.
 */
import { ask, failed, isSuccess } from "./asked.ts";
import type { WebhookWitnessOptions } from "./witness-options.ts";
import type { Witness, WitnessDeps } from "./witness.ts";

export function createWebhookWitness(
  options: WebhookWitnessOptions,
  { exchange }: Pick<WitnessDeps, "exchange">,
): Witness {
  const url = new URL(options.url);
  const { name, type } = options;
  return {
    name,
    type,
    place: url.origin,
    async send({ size, note }, { timeoutMs }) {
      const headers = {
        ...options.headers,
        "content-type": "text/plain; charset=utf-8",
        // The same checkpoint may be sent twice: an answer can be lost.
        "idempotency-key": String(size),
      };
      const answer = await ask(exchange, { url, method: "POST", headers, body: note }, timeoutMs);
      if ("outcome" in answer) return answer;
      const { status } = answer;
      if (!isSuccess(status)) return failed(url.origin, status);
      return { outcome: "witnessed", status, cosignatures: [] };
    },
  };
}
