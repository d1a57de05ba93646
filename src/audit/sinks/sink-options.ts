/**
 * Options of the sinks: copies of the audit log that go elsewhere while it is written. Each lags by
 * itself, and none is ever waited for: the files are the record.
 */
import { z } from "zod";
import { byteSize, duration, nameSchema } from "../../model/options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";
import { webhookKey } from "./webhook-signature.ts";

const LIMITS = {
  /** Each reads the log by itself. */
  sinks: 16,
  /** Fields of a request that a person writes. */
  headers: 32,
  /** Attributes of a resource that a person writes. */
  attributes: 64,
} as const;

export const RECORD_TYPES = ["decision", "completion", "summary", "event"] as const;

const batchSchema = z
  .strictObject({
    records: z
      .int("a whole number from 1 to 10000")
      .min(1, "1 or more")
      .max(10_000, "at most 10000")
      .default(1000)
      .describe("Most records that are sent at once. More: fewer requests, more memory."),
    bytes: byteSize({ min: "4KiB", max: "16MiB" })
      .prefault("1MiB")
      .describe(
        "Most bytes of records that are read at once, before compression; a record that is longer goes alone. The memory that a sink takes is a few times this.",
      ),
    wait: duration({ min: "0ms", max: "60s" })
      .prefault("1s")
      .describe("How long a record waits for others, so that they are sent together."),
  })
  .readonly();

const common = {
  name: nameSchema.describe(
    "Name of the sink: in metrics, logs, and of the file in which it keeps its position (`sinks/NAME.json` in the log's folder).",
  ),
  only: z
    .array(z.enum(RECORD_TYPES), "a list of decision, completion, summary, event")
    .min(1, "at least one type of record")
    .readonly()
    .optional()
    .describe("Types of records that it gets; all when left out."),
  decisions: z
    .array(z.enum(["permit", "deny"]), "a list of permit, deny")
    .min(1, "permit, deny, or both")
    .readonly()
    .optional()
    .describe(
      "Of `decision` records, those that it gets; all when left out. Other types are not concerned.",
    ),
  from: z
    .enum(["now", "beginning"])
    .default("now")
    .describe(
      "Where a sink begins that has no position yet: with what is recorded from its first start on, or with the oldest record that is there. One that has a position goes on from it.",
    ),
  maxLag: byteSize({ min: "1MiB", max: "1024GiB" })
    .prefault("10GiB")
    .describe(
      "Bytes of the log that it may lag behind. Beyond, it skips what is oldest, and says so: an error in the log, a metric, an event record. The log itself keeps what was skipped.",
    ),
  batch: batchSchema.prefault({}).describe("How records are gathered."),
};

/** A value goes into a field of HTTP/1.1 (RFC 9110 section 5.5). */
const headersSchema = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, "the name of a field"),
    z.string().regex(/^[\x21-\x7e](?:[\t\x20-\x7e]{0,8190}[\x21-\x7e])?$/, "visible ASCII"),
  )
  .readonly()
  .refine((fields) => Object.keys(fields).length <= LIMITS.headers, `at most ${LIMITS.headers}`)
  .refine(
    (fields) => !Object.keys(fields).some((name) => OURS.has(name.toLowerCase())),
    "fields that are not ours to write: content-*, host, connection, transfer-encoding, webhook-*",
  )
  .prefault({})
  .describe(
    "Fields of each request, such as `authorization`. Secrets come by `${env:NAME}` or `${file:path}`.",
  );

/** What the request is made of, and what a signature is made over. */
const OURS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "host",
  "transfer-encoding",
  "webhook-id",
  "webhook-signature",
  "webhook-timestamp",
]);

const remote = {
  headers: headersSchema,
  timeout: duration({ min: "100ms", max: "5m" })
    .prefault("10s")
    .describe("Longest time from the beginning of a request to the end of its answer."),
  ca: z
    .string("a file")
    .min(1, "a file")
    .optional()
    .describe(
      "File with the authorities (PEM) that the receiver's certificate has to lead to; those of the runtime when left out.",
    ),
  insecureHttp: z
    .boolean()
    .default(false)
    .describe(
      "Lets records be sent over plain http to elsewhere than loopback: whoever is on the way reads and alters them.",
    ),
};

const stdoutSchema = z
  .strictObject({
    type: z.literal("stdout").describe("Standard output, one record a line, as it is written."),
    ...common,
  })
  .readonly();

const otlpSchema = z
  .strictObject({
    type: z.literal("otlp").describe("Logs of OpenTelemetry: OTLP over HTTP, as JSON."),
    ...common,
    endpoint: z
      .string("an https: URL")
      .describe("URL of the receiver, to which `/v1/logs` is added, such as https://otel.example."),
    compression: z.enum(["gzip", "none"]).default("gzip").describe("Of the requests."),
    resource: z
      .record(
        z.string().regex(/^[a-z][a-z0-9_.]{0,127}$/, "the name of an attribute"),
        z.string().max(1024),
      )
      .readonly()
      .refine(
        (attributes) => Object.keys(attributes).length <= LIMITS.attributes,
        `at most ${LIMITS.attributes}`,
      )
      .prefault({})
      .describe(
        "Attributes of the resource beside `service.name`, `service.version` and `service.instance.id`, or in their place.",
      ),
    ...remote,
  })
  .superRefine(({ endpoint, insecureHttp }, context) => {
    const message = whyNotFetched(endpoint, insecureHttp) ?? queryFault(endpoint);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["endpoint"], message });
  })
  .readonly();

const webhookSchema = z
  .strictObject({
    type: z.literal("webhook").describe("A POST with the records to a server of your own."),
    ...common,
    url: z.string("an https: URL").describe("Where records are posted to."),
    format: z
      .enum(["ndjson", "json"])
      .default("ndjson")
      .describe('Lines of `{"id":…,"record":…}`, or one JSON array of them.'),
    secret: z
      .string()
      .refine(
        (text) => webhookKey(text) !== undefined,
        "whsec_ and 24 to 64 bytes in base64 (Standard Webhooks), by an expression such as ${file:secrets/hook}",
      )
      .optional()
      .describe(
        "Signs each request as Standard Webhooks says (HMAC-SHA-256 over id, time and body), so that the receiver knows whose it is.",
      ),
    ...remote,
  })
  .superRefine(({ url, insecureHttp }, context) => {
    const message = whyNotFetched(url, insecureHttp);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["url"], message });
  })
  .readonly();

/** A path is added to it. */
function queryFault(endpoint: string): string | undefined {
  return new URL(endpoint).search === "" ? undefined : "a URL without '?'";
}

export const sinksSchema = z
  .array(z.discriminatedUnion("type", [stdoutSchema, otlpSchema, webhookSchema]))
  .max(LIMITS.sinks, `at most ${LIMITS.sinks} sinks`)
  .readonly()
  .superRefine((sinks, context) => {
    for (const [index, { name }] of sinks.entries()) {
      if (sinks.findIndex((other) => other.name === name) === index) continue;
      const message = "a name that no other sink has: each keeps its own position";
      context.addIssue({ code: "custom", path: [index, "name"], message });
    }
  });

export type SinkOptions = z.output<typeof sinksSchema>[number];
export type StdoutSinkOptions = Extract<SinkOptions, { type: "stdout" }>;
export type OtlpSinkOptions = Extract<SinkOptions, { type: "otlp" }>;
export type WebhookSinkOptions = Extract<SinkOptions, { type: "webhook" }>;
