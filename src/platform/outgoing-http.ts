/**
 * Requests of ours to a server that the configuration names, whatever it answers: token endpoints, userinfo,
 * and their like. How such a request is bounded is in `bounded-exchange.ts`.
 */
import type { IncomingHttpHeaders } from "node:http";
import { exchange } from "./bounded-exchange.ts";

export interface OutgoingRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface OutgoingLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface OutgoingAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Rejects with SallyportError `fetch-failed`, which names origin and path of the URL and the rule. */
export type SendOutgoing = (
  request: OutgoingRequest,
  limits: OutgoingLimits,
) => Promise<OutgoingAnswer>;

export const sendOutgoing: SendOutgoing = async (request, limits) => {
  const { status, headers, body } = await exchange(
    { ...request, url: new URL(request.url) },
    limits,
  );
  return { status, headers: singleHeaders(headers), body };
};

function singleHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const single: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") single[name] = value;
  }
  return single;
}
