/**
 * The client spans of one request: each attempt to send it to an endpoint is one, and the service that
 * gets it takes that span for its parent.
 */
import type { Fields } from "../../model/http.ts";
import { formatTraceparent } from "../../wire/traceparent.ts";
import type { ChildSpan } from "./span.ts";
import { methodName, splitAuthority, shown } from "./span-attributes.ts";

interface Attempt {
  readonly spanId: string;
  readonly endpoint: string;
  readonly http2: boolean;
  readonly startedAt: number;
  status: number | undefined;
}

/** What of the request is the same in all attempts. */
export interface SentRequest {
  readonly method: string;
  /** As the service gets it, without the query. */
  readonly path: string;
  readonly service: string | undefined;
}

/** The spans of the whole request. */
interface Whole {
  readonly traceId: string;
  readonly spanId: string;
  now(): number;
  newSpanId(): string;
  child(span: ChildSpan): void;
}

export class AttemptSpans {
  readonly #spans: Whole;
  readonly #sent: SentRequest;
  #open: Attempt | undefined;
  #ended = 0;

  constructor(spans: Whole, sent: SentRequest) {
    this.#spans = spans;
    this.#sent = sent;
  }

  /** It goes to this endpoint; what was open before has come to nothing. */
  begin(endpoint: string, http2: boolean): void {
    this.end("resent");
    const spanId = this.#spans.newSpanId();
    const startedAt = this.#spans.now();
    this.#open = { spanId, endpoint, http2, startedAt, status: undefined };
  }

  /** What the service gets of the trace, each time that the request is written. */
  fields(): Fields {
    const { traceId, spanId } = this.#spans;
    const parentId = this.#open?.spanId ?? spanId;
    return ["traceparent", formatTraceparent({ traceId, parentId, sampled: true })];
  }

  /** The head of an answer has come. */
  answered(status: number): void {
    if (this.#open !== undefined) this.#open.status = status;
  }

  /** The attempt is over. `error`: why it brought nothing; undefined where it did. */
  end(error: string | undefined): void {
    const attempt = this.#open;
    if (attempt === undefined) return;
    this.#open = undefined;
    const { method, path, service } = this.#sent;
    const { host, port } = splitAuthority(attempt.endpoint);
    const { status } = attempt;
    const bad = status !== undefined && status >= 400 ? String(status) : undefined;
    this.#spans.child({
      spanId: attempt.spanId,
      name: methodName(method),
      kind: "client",
      from: attempt.startedAt,
      failed: error !== undefined || bad !== undefined,
      attributes: {
        "http.request.method": methodName(method),
        "http.request.resend_count": this.#ended === 0 ? undefined : this.#ended,
        "http.response.status_code": status,
        "server.address": host,
        "server.port": port,
        "url.path": shown(path),
        "network.protocol.version": attempt.http2 ? "2" : "1.1",
        "error.type": error ?? bad,
        "sallyport.service": service,
      },
    });
    this.#ended += 1;
  }
}
