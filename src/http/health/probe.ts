/**
 * One health check of one endpoint: a connection of its own, one GET, and the status of the answer,
 * read as strictly as any answer. The body is not waited for.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import type { Deadlines } from "../deadlines.ts";
import type {
  ResponseReceiver,
  ServiceConnection,
  UpstreamFailure,
} from "../service-connection.ts";

export interface ProbeRequest {
  readonly path: string;
  readonly host: string;
  readonly timeoutMs: number;
  readonly passes: (status: number) => boolean;
}

export interface ProbeDeps {
  readonly deadlines: Deadlines;
  /** A way to the endpoint for this check alone. */
  readonly connect: () => ServiceConnection;
  /** Once: undefined where it passed, else what was wrong. */
  readonly done: (fault: string | undefined) => void;
}

export class Probe implements ResponseReceiver {
  readonly #request: ProbeRequest;
  readonly #done: (fault: string | undefined) => void;
  readonly #connection: ServiceConnection;
  #over = false;

  constructor(request: ProbeRequest, deps: ProbeDeps) {
    this.#request = request;
    this.#done = deps.done;
    this.#connection = deps.connect();
    this.#connection.assign(this);
    this.#connection.expiresAt = deps.deadlines.coarseNow + request.timeoutMs;
  }

  /** Ends it; nothing is reported. */
  cancel(): void {
    this.#over = true;
    this.#connection.destroy();
  }

  connected(): void {
    const { path, host } = this.#request;
    const fields: Fields = ["host", host, "user-agent", "sallyport-health"];
    const request = { method: "GET", target: path, fields, websocket: false, received: [] };
    this.#connection.begin(request, { bodyKind: "none", contentLength: 0 });
    this.#connection.end(undefined);
  }

  responseHead({ status }: ResponseHead): void {
    this.#report(this.#request.passes(status) ? undefined : `status ${status}`);
  }

  failed({ detail }: UpstreamFailure): void {
    this.#report(detail);
  }

  expired(): void {
    this.#report("no answer in time");
  }

  defect(): void {
    this.#report("a defect of ours");
  }

  switched(): void {
    this.#report("an upgrade that nobody asked for");
  }

  responseChunk(): void {}
  responseIdle(): void {}
  responseEnd(): void {}
  upstreamDrained(): void {}

  #report(fault: string | undefined): void {
    if (this.#over) return;
    this.cancel();
    this.#done(fault);
  }
}
