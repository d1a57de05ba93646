/**
 * The audit log for a server of one's own: a POST of some records, signed where there is a secret.
 *
 * Whatever is not answered with 2xx is sent again, because records must not be lost to an afternoon's
 * fault; only where the answer speaks of the records themselves (400, 413, 422) are fewer sent, down to
 * the one that is not taken, which is then skipped.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";
import type { Clock } from "../../model/ports.ts";
import { exchange, type ExchangeTls } from "../../platform/bounded-exchange.ts";
import { retryAfterMs } from "../../platform/retry-after.ts";
import type { Delivery, Sink, SinkRecord } from "./sink.ts";
import type { WebhookSinkOptions } from "./sink-options.ts";
import { webhookFields, webhookKey } from "./webhook-signature.ts";

const LIMITS = {
  /** Bytes of an answer, which nobody reads. */
  answer: 65_536,
  /** Hexadecimal digits of an id: 128 bits, which no two batches share. */
  id: 32,
} as const;

export interface WebhookDeps {
  readonly clock: Clock;
  readonly tls: ExchangeTls;
}

const TYPES = { ndjson: "application/x-ndjson", json: "application/json" } as const;

/** They speak of what was sent. */
const OF_RECORDS: ReadonlySet<number> = new Set([400, 413, 422]);

export function createWebhookSink(options: WebhookSinkOptions, deps: WebhookDeps): Sink {
  const { format, headers, timeout } = options;
  const url = new URL(options.url);
  const key = options.secret === undefined ? undefined : webhookKey(options.secret);
  const { clock, tls } = deps;

  async function deliver(records: readonly SinkRecord[]): Promise<Delivery> {
    const body = bodyOf(records, format);
    const message = { id: idOf(body), timestampSeconds: Math.floor(clock.now() / 1000), body };
    const fields = { ...headers, ...webhookFields(message, key), "content-type": TYPES[format] };
    try {
      const { status, headers: answered } = await exchange(
        { url, method: "POST", headers: fields, body, tls },
        { timeoutMs: timeout, maxBytes: LIMITS.answer },
      );
      if (status >= 200 && status < 300) return { kind: "delivered", refused: 0 };
      const why = `answered ${status}`;
      if (OF_RECORDS.has(status)) return { kind: "too-large", why };
      return { kind: "retry", why, afterMs: retryAfterMs(answered["retry-after"], clock.now()) };
    } catch (error) {
      const why = error instanceof SallyportError ? error.message : "the request failed";
      return { kind: "retry", why };
    }
  }
  return { deliver };
}

/** Each record stands in it as it was written, to the byte. */
function bodyOf(records: readonly SinkRecord[], format: "ndjson" | "json"): string {
  const parts = records.map(({ id, line }) => `{"id":${JSON.stringify(id)},"record":${line}}`);
  return format === "json" ? `[${parts.join(",")}]` : `${parts.join("\n")}\n`;
}

/** The same batch has the same id when it is sent again, as Standard Webhooks wants it. */
function idOf(body: string): string {
  return createHash("sha256").update(body, "utf8").digest("hex").slice(0, LIMITS.id);
}
