/**
 * The audit log as logs of OpenTelemetry: `POST <endpoint>/v1/logs` with JSON (OTLP/HTTP 1.x).
 *
 * What is sent again and what is not is what OTLP says, with one exception: 401, 403 and 404 speak of
 * us or of the address, not of the records, so records wait for who mends it rather than being lost.
 */
import { otlpResource } from "../../model/otlp.ts";
import type { Clock } from "../../model/ports.ts";
import type { ExchangeTls } from "../../platform/bounded-exchange.ts";
import { type OtlpOutcome, postOtlp } from "../../platform/otlp-http.ts";
import { otlpLogRecord } from "./otlp-record.ts";
import type { Delivery, Sink, SinkRecord } from "./sink.ts";
import type { OtlpSinkOptions } from "./sink-options.ts";

export interface OtlpSinkDeps {
  readonly clock: Clock;
  readonly version: string;
  /** Tells processes apart that write to one receiver. */
  readonly instance: string;
  readonly tls: ExchangeTls;
}

const SCOPE = "sallyport.audit";

export function createOtlpSink(options: OtlpSinkOptions, deps: OtlpSinkDeps): Sink {
  const { clock, version, instance, tls } = deps;
  const { endpoint, headers, compression, timeout } = options;
  const resource = otlpResource({ version, instance, attributes: options.resource });
  const target = {
    url: `${endpoint.replace(/\/+$/, "")}/v1/logs`,
    headers,
    compression,
    timeoutMs: timeout,
    tls,
  };
  const request = (records: readonly SinkRecord[]): object => ({
    resourceLogs: [
      {
        resource,
        scopeLogs: [
          {
            scope: { name: SCOPE, version },
            logRecords: records.map((record) => otlpLogRecord(record, clock.now())),
          },
        ],
      },
    ],
  });
  return {
    async deliver(records) {
      const body = JSON.stringify(request(records));
      return deliveryOf(await postOtlp(target, body, "rejectedLogRecords"));
    },
  };
}

/** They say nothing of the records. */
const OF_US: ReadonlySet<number> = new Set([401, 403, 404]);

function deliveryOf(outcome: OtlpOutcome): Delivery {
  if (outcome.kind === "accepted") {
    return { kind: "delivered", refused: outcome.rejected, why: outcome.words };
  }
  if (outcome.kind === "retry") return outcome;
  const { status, why } = outcome;
  if (status === 413) return { kind: "too-large", why };
  return OF_US.has(status) ? { kind: "retry", why } : { kind: "refused", why };
}
