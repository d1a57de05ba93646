/**
 * A health check by `grpc.health.v1.Health/Check`: passes where the answer is a gRPC one that ended well,
 * with one message that says SERVING. A service that does not know the method, or the name that is
 * asked about, does not pass.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import { getField } from "../../wire/fields.ts";
import { isGrpcType } from "../../wire/grpc/call.ts";
import {
  HEALTH_CHECK_PATH,
  healthCheckFault,
  healthCheckMessage,
  isTooLongForHealth,
} from "../../wire/grpc/health.ts";
import { readGrpcStatus } from "../../wire/grpc/status-fields.ts";
import { Probe, type ProbeDeps } from "./probe.ts";

export interface GrpcQuestion {
  /** Name of the service; empty: the server as a whole. */
  readonly service: string;
  readonly host: string;
}

export class GrpcProbe extends Probe {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** Where the answer has nothing but its head (trailers-only), the status is in there. */
  #head: Fields = [];

  constructor({ service, host }: GrpcQuestion, deps: ProbeDeps) {
    const fields = [
      "host",
      host,
      "content-type",
      "application/grpc",
      "user-agent",
      "sallyport-health",
    ];
    const body = healthCheckMessage(service);
    super({ method: "POST", target: HEALTH_CHECK_PATH, fields, body, trailers: true }, deps);
  }

  responseHead({ status, fields }: ResponseHead): void {
    if (status !== 200) this.report(`status ${status}`);
    else if (!isGrpcType(getField(fields, "content-type"))) this.report("not a gRPC answer");
    else this.#head = fields;
  }

  responseChunk(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (isTooLongForHealth(this.#bytes)) this.report("an answer that is too long");
    else this.#chunks.push(bytes);
  }

  responseEnd(trailers: Fields | undefined): void {
    const status = readGrpcStatus(trailers ?? this.#head);
    if (status === undefined) this.report("no grpc-status");
    else if (status !== 0) this.report(`grpc-status ${status}`);
    else this.report(healthCheckFault(Buffer.concat(this.#chunks)));
  }
}
