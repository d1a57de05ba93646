/**
 * One health check of one endpoint: a way of its own to it, one question, and one verdict. What is asked
 * and what passes is each kind's own; whatever else comes of it does not pass.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import type { Deadlines } from "../deadlines.ts";
import type {
  ResponseReceiver,
  ServiceConnection,
  ServiceRequest,
  UpstreamFailure,
} from "../service-connection.ts";

export interface ProbeDeps {
  readonly deadlines: Deadlines;
  /** For connection and answer together. */
  readonly timeoutMs: number;
  /** A way to the endpoint for this check alone. */
  readonly connect: () => ServiceConnection;
  /** Once: undefined where it passed, else what was wrong. */
  readonly done: (fault: string | undefined) => void;
}

/** What is asked. */
export interface Question {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly body: Buffer | undefined;
  /** Whether the answer may have trailers. */
  readonly trailers: boolean;
}

export abstract class Probe implements ResponseReceiver {
  readonly #done: (fault: string | undefined) => void;
  readonly #connection: ServiceConnection;
  readonly #question: Question;
  #over = false;

  constructor(question: Question, deps: ProbeDeps) {
    this.#question = question;
    this.#done = deps.done;
    this.#connection = deps.connect();
    this.#connection.assign(this);
    this.#connection.expiresAt = deps.deadlines.coarseNow + deps.timeoutMs;
  }

  abstract responseHead(head: ResponseHead): void;
  abstract responseChunk(bytes: Buffer): void;
  abstract responseEnd(trailers: Fields | undefined): void;

  /** Ends it; nothing is reported. */
  cancel(): void {
    this.#over = true;
    this.#connection.destroy();
  }

  connected(): void {
    const { method, target, fields, body, trailers } = this.#question;
    const received = trailers ? ["te", "trailers"] : [];
    const request: ServiceRequest = { method, target, fields, websocket: false, received };
    if (body === undefined) {
      this.#connection.begin(request, { bodyKind: "none", contentLength: 0 });
    } else {
      this.#connection.begin(request, { bodyKind: "length", contentLength: body.length });
      this.#connection.write(body);
    }
    this.#connection.end(undefined);
  }

  failed({ detail }: UpstreamFailure): void {
    this.report(detail);
  }

  expired(): void {
    this.report("no answer in time");
  }

  defect(): void {
    this.report("a defect of ours");
  }

  switched(): void {
    this.report("an upgrade that nobody asked for");
  }

  responseIdle(): void {}
  upstreamDrained(): void {}

  /** The verdict; the first one counts. */
  protected report(fault: string | undefined): void {
    if (this.#over) return;
    this.cancel();
    this.#done(fault);
  }
}
