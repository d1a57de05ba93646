/**
 * Signatures as Standard Webhooks (standardwebhooks.com, version 1) makes them: HMAC-SHA-256 over
 * `<id>.<timestamp>.<body>`, so that neither body nor time can be changed, and an old request cannot
 * pass for a new one.
 */
import { createHmac } from "node:crypto";

const PREFIX = "whsec_";

/** Bytes of a key (Standard Webhooks, "Signature scheme"). */
const KEY = { least: 24, most: 64 } as const;

/** The bytes of a secret; undefined where the text is none. */
export function webhookKey(secret: string): Buffer | undefined {
  const text = secret.slice(PREFIX.length);
  if (!secret.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const key = Buffer.from(text, "base64");
  // As it is written: two texts for one key would be two chances to be mistaken.
  if (key.toString("base64") !== text) return undefined;
  return key.length >= KEY.least && key.length <= KEY.most ? key : undefined;
}

export interface WebhookMessage {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

/** The fields that go with the body; unsigned where there is no key. */
export function webhookFields(
  { id, timestampSeconds, body }: WebhookMessage,
  key: Uint8Array | undefined,
): Record<string, string> {
  const timestamp = String(timestampSeconds);
  const fields = { "webhook-id": id, "webhook-timestamp": timestamp };
  if (key === undefined) return fields;
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`, "utf8");
  return { ...fields, "webhook-signature": `v1,${mac.digest("base64")}` };
}
