/**
 * OTLP over HTTP with JSON bodies: one POST, and what its answer means for what was sent
 * (opentelemetry-proto, "OTLP/HTTP Response"). Who sends decides what becomes of it then.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { SallyportError } from "../model/errors.ts";
import { exchange, type ExchangeTls } from "./bounded-exchange.ts";
import { retryAfterMs } from "./retry-after.ts";

const LIMITS = {
  /** Bytes of an answer: a message and a number. */
  answer: 65_536,
  /** Characters of the receiver's own words that are passed on to the operator. */
  words: 200,
} as const;

/** Answers after which the same is to be sent again; all others of 400 and above are final. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface OtlpTarget {
  /** With its path, such as `…/v1/logs`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "gzip" | "none";
  readonly timeoutMs: number;
  readonly tls?: ExchangeTls | undefined;
}

export type OtlpOutcome =
  /** `rejected`: of a partial success, items that were not taken and are not to be sent again. */
  | { readonly kind: "accepted"; readonly rejected: number; readonly words: string | undefined }
  | { readonly kind: "retry"; readonly why: string; readonly afterMs: number | undefined }
  /** Sent again it would be refused again. */
  | { readonly kind: "refused"; readonly why: string; readonly status: number };

const compress = promisify(gzip);

/** Never rejects: what goes wrong on the way is to be tried again. `rejected`: the count's name in `partialSuccess`. */
export async function postOtlp(
  target: OtlpTarget,
  body: string,
  rejected: "rejectedLogRecords" | "rejectedSpans",
): Promise<OtlpOutcome> {
  const { url, headers, compression, timeoutMs, tls } = target;
  try {
    const zipped = compression === "gzip";
    const {
      status,
      headers: fields,
      body: answer,
    } = await exchange(
      {
        url: new URL(url),
        method: "POST",
        headers: {
          ...headers,
          "content-type": "application/json",
          ...(zipped ? { "content-encoding": "gzip" } : {}),
        },
        body: zipped ? await compress(body) : body,
        tls,
      },
      { timeoutMs, maxBytes: LIMITS.answer },
    );
    if (status < 300) return accepted(answer, rejected);
    const why = `answered ${status}`;
    if (!RETRYABLE.has(status)) return { kind: "refused", why, status };
    return { kind: "retry", why, afterMs: retryAfterMs(fields["retry-after"], Date.now()) };
  } catch (error) {
    const why = error instanceof SallyportError ? error.message : "the request failed";
    return { kind: "retry", why, afterMs: undefined };
  }
}

/** A body that cannot be read says nothing against what was sent: the status did. */
function accepted(answer: Buffer, name: "rejectedLogRecords" | "rejectedSpans"): OtlpOutcome {
  let count = 0;
  let words: string | undefined;
  try {
    const { partialSuccess } = JSON.parse(answer.toString("utf8")) as {
      partialSuccess?: Readonly<Record<string, unknown>> | null;
    };
    const found = Number(partialSuccess?.[name] ?? 0);
    if (Number.isSafeInteger(found) && found > 0) count = found;
    const message = partialSuccess?.["errorMessage"];
    if (typeof message === "string" && message !== "") words = message.slice(0, LIMITS.words);
  } catch {
    // Nothing to tell.
  }
  return { kind: "accepted", rejected: count, words };
}
