/** Options of traces: where they go, which are kept, and whom we believe about that. */
import { z } from "zod";
import { duration, nameSchema } from "../../model/options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";

const LIMITS = {
  /** Characters of URLs and values; no real one comes near. */
  chars: 4096,
  /** Headers of an export, and attributes of the resource. */
  entries: 64,
} as const;

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Written by the exporter. */
const RESERVED = new Set([
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "connection",
  "host",
]);

const otlpSchema = z
  .strictObject({
    endpoint: z
      .string("an https: URL, such as https://collector.example.com:4318")
      .max(LIMITS.chars)
      .describe(
        "OTLP over HTTP with JSON: the collector's base URL, to which `/v1/traces` is added. Plain `http:` only to this machine, unless `insecureHttp` says otherwise.",
      ),
    headers: z
      .record(
        z
          .string()
          .regex(FIELD_NAME, "a field name")
          .refine(
            (name) => !RESERVED.has(name.toLowerCase()),
            "a field that the exporter does not write",
          ),
        z
          .string()
          .max(LIMITS.chars)
          .regex(/^[\t\x20-\x7e]*$/, "visible ASCII"),
      )
      .refine((headers) => Object.keys(headers).length <= LIMITS.entries, "at most 64 fields")
      .readonly()
      .prefault({})
      .describe(
        "Fields of each export, such as `authorization`. Write secrets as `${env:NAME}` or `${file:path}`, so that none is in this file.",
      ),
    compression: z.enum(["gzip", "none"]).default("gzip").describe("How exports are packed."),
    timeout: duration({ min: "100ms", max: "60s" })
      .prefault("10s")
      .describe("For one export, its answer included. After it the same is tried again, later."),
    interval: duration({ min: "100ms", max: "60s" })
      .prefault("5s")
      .describe(
        "Longest time that a span waits before it is sent; half a thousand of them are sent at once. Shorter: traces are seen sooner, in more exports.",
      ),
    queue: z
      .int("a whole number from 64 to 1000000")
      .min(64, "64 or more")
      .max(1_000_000, "at most 1000000")
      .default(8192)
      .describe(
        "Spans that may wait in each process, some kilobyte each, while the collector is slow or away. Those beyond are dropped and counted (`sallyport_trace_spans_total`); requests never wait.",
      ),
    ca: z
      .string("a file")
      .min(1, "a file")
      .max(LIMITS.chars)
      .optional()
      .describe(
        "File with the authorities (PEM) that the collector's certificate has to lead to; those of the runtime when left out. Read when the configuration is.",
      ),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets traces be sent over plain http to other machines: whoever is on the way reads who asked for what, and `headers`.",
      ),
  })
  .readonly()
  .superRefine(({ endpoint, insecureHttp }, context) => {
    const fault = whyNotFetched(endpoint, insecureHttp) ?? whyNoBase(endpoint);
    if (fault !== undefined) {
      context.addIssue({ code: "custom", path: ["endpoint"], message: fault });
    }
  });

function whyNoBase(endpoint: string): string | undefined {
  const { search, pathname } = new URL(endpoint);
  if (search !== "") return "a URL without '?'";
  return pathname.endsWith("/v1/traces")
    ? "the collector's base URL, without /v1/traces"
    : undefined;
}

const perSecondSchema = z
  .strictObject({
    incoming: rate()
      .default(100)
      .describe(
        "Requests per second of this machine that are sampled because of what their caller sent: its sampled flag, or the trace id that it chose. Those beyond are not. It keeps strangers from making us, and the services behind, record everything.",
      ),
    always: rate()
      .default(100)
      .describe(
        "Requests per second of this machine that are kept because of `always`. Those beyond are not, so that a flood of refusals costs no more than this.",
      ),
  })
  .readonly();

function rate() {
  return z.number("a number from 0 to 100000").min(0, "0 or more").max(100_000, "at most 100000");
}

const sampleSchema = z.union([z.number(), z.string()]).transform((written, context) => {
  const value = typeof written === "number" ? written : percent(written);
  if (value >= 0 && value <= 1) return value;
  context.addIssue({ code: "custom", message: SAMPLE });
  return z.NEVER;
});

const SAMPLE = "a share from 0 to 1, such as 0.01, or a percentage such as 1%";

function percent(text: string): number {
  return /^\d{1,3}(?:\.\d{1,6})?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number.NaN;
}

export const tracingSchema = z
  .strictObject({
    otlp: otlpSchema.describe("Where traces are sent."),
    sample: sampleSchema
      .prefault("1%")
      .describe(
        "Share of traces that are kept: `1%` or `0.01`. Decided by the trace id, so that all who sample at this rate keep the same ones. What is not kept costs next to nothing.",
      ),
    always: z
      .array(z.enum(["denied", "errors"]))
      .readonly()
      .prefault([])
      .describe(
        "What is kept besides: `denied`, requests that the gate refuses; `errors`, those that end with a status of 500 or more, or are cut short by our or their service's fault. Decided at the end: such a trace holds our spans alone.",
      ),
    trustIncoming: z
      .union([z.boolean(), z.array(nameSchema).readonly()], "true, false, or names of listeners")
      .default(false)
      .describe(
        "Whose `sampled` flag decides: `true`, every caller's; names of listeners (those of the sidecar too), that of their callers. Else the flag says nothing and `sample` decides; the trace itself goes on in any case.",
      ),
    perSecond: perSecondSchema
      .prefault({})
      .describe("Bounds of what others can make us record; divided among workers."),
    principal: z
      .boolean()
      .default(false)
      .describe(
        "Whether spans name the principal (`sallyport.principal`), so that whoever reads traces sees who asked for what.",
      ),
    serviceName: z
      .string()
      .regex(/^[ -~]{1,255}$/, "1 to 255 visible ASCII characters")
      .default("sallyport")
      .describe("`service.name` of our spans."),
    resource: z
      .record(
        z
          .string()
          .regex(
            /^[a-z][a-z0-9_.-]{0,254}$/,
            "an attribute name, such as deployment.environment.name",
          ),
        z.string().max(LIMITS.chars),
      )
      .refine((resource) => Object.keys(resource).length <= LIMITS.entries, "at most 64 attributes")
      .refine(
        (resource) => !Object.hasOwn(resource, "service.name"),
        "service.name is written as serviceName",
      )
      .readonly()
      .prefault({})
      .describe(
        "Further attributes of who speaks, such as `deployment.environment.name: production`.",
      ),
  })
  .readonly()
  .describe(
    "Traces: what is recorded of single requests, as spans, and sent by OTLP. Left out: trace contexts are passed on, and nothing is recorded.",
  );

export type TracingOptions = z.output<typeof tracingSchema>;
