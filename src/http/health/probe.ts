/**
 * One health check of one endpoint: a connection of its own, one GET, and the status of the answer,
 * read as strictly as any answer. The body is not waited for.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import type { Log } from "../../model/ports.ts";
import { writeRequestHead } from "../../wire/http1/write-head.ts";
import type { Deadlines } from "../deadlines.ts";
import {
  type ConnectionOwner,
  type ResponseReceiver,
  UpstreamConnection,
  type UpstreamFailure,
} from "../upstream-connection.ts";
import type { Socket } from "node:net";

export interface ProbeRequest {
  readonly path: string;
  readonly host: string;
  readonly timeoutMs: number;
  readonly passes: (status: number) => boolean;
}

export interface ProbeDeps {
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly openSocket: () => Socket;
  /** Once: undefined where it passed, else what was wrong. */
  readonly done: (fault: string | undefined) => void;
}

export class Probe implements ResponseReceiver, ConnectionOwner {
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly idleTimeoutMs = 0;
  readonly #request: ProbeRequest;
  readonly #done: (fault: string | undefined) => void;
  readonly #connection: UpstreamConnection;
  #over = false;

  constructor(request: ProbeRequest, deps: ProbeDeps) {
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.#request = request;
    this.#done = deps.done;
    this.#connection = new UpstreamConnection(deps.openSocket(), this);
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
    const framing = { bodyKind: "none", contentLength: 0, connection: "close" } as const;
    const fields: Fields = ["host", host, "user-agent", "sallyport-health"];
    const head = writeRequestHead({ method: "GET", target: path }, fields, framing);
    this.#connection.begin(head, { method: "GET", upgrade: false }, framing);
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
  idle(): void {}
  gone(): void {}

  #report(fault: string | undefined): void {
    if (this.#over) return;
    this.cancel();
    this.#done(fault);
  }
}
