/**
 * Reads back what `serialize.ts` writes: one line → one checked record of schema v1.
 *
 * It refuses what it does not know: another version, another type, a member that is not in the
 * schema. A reader that guessed would explain a decision that was never made.
 */
import { z } from "zod";
import { ACCESS_DETAIL_TYPE } from "../model/access-detail.ts";
import { EVENTS, type EventName } from "../model/events.ts";
import type { AttributeValue, Principal } from "../model/principal.ts";
import { REASONS, type Reason } from "../model/reason.ts";
import { RPC_PROTOCOLS, type RpcCall } from "../model/rpc.ts";

const text = z.string();
const texts = z.array(z.string()).readonly().default([]);
const time = z.iso.datetime({ precision: 3 });
const count = z.int().min(0);
const reason = z.enum(Object.keys(REASONS) as [Reason, ...Reason[]]);
const version = z.literal(1);
/** One that policies and sums have whole numbers for. */
const number = z.number().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const attribute = z.union([
  z.string(),
  z.boolean(),
  z.int(),
  z.array(z.string()).readonly(),
  z
    .strictObject({ long: z.string().regex(/^-?\d{1,19}$/) })
    .transform((value) => BigInt(value.long))
    .refine((value) => BigInt.asIntN(64, value) === value)
    .transform((value): AttributeValue => value),
]);

const authnSchema = z.strictObject({
  acr: text.optional(),
  ageSeconds: number,
  amr: texts,
  authenticator: text,
  bound: z.boolean(),
  kind: text,
});

const principalSchema = z
  .strictObject({
    attributes: z.record(z.string(), attribute).default({}),
    authenticator: text,
    groups: texts,
    kind: z.enum(["user", "workload", "device", "anonymous"]),
    roles: texts,
    subject: text,
  })
  .transform((value): Principal => value);

const actorSchema = z.strictObject({
  authenticator: text,
  behind: texts,
  clientId: text.optional(),
  issuer: text.optional(),
  subject: text,
});

const credentialSchema = z.strictObject({
  hash: text,
  kind: text,
  outcome: z.enum(["used", "refused", "ignored"]),
});

const certificateSchema = z.strictObject({
  issuer: text,
  serial: text,
  spiffeId: text.optional(),
  subject: text,
  thumbprint: text,
});

const bodyValueSchema = z.union([
  z.strictObject({ value: attribute }),
  z.strictObject({
    hashes: z.array(z.string()).readonly(),
    type: z.enum(["string", "bool", "long", "strings"]),
  }),
]);

const rpcSchema = z
  .strictObject({
    kind: z.enum(["request", "notification", "response"]),
    method: text.optional(),
    prompt: text.optional(),
    protocol: z.enum(RPC_PROTOCOLS),
    resource: text.optional(),
    tool: text.optional(),
  })
  .transform((value): RpcCall => value);

const ancestorSchema = z.strictObject({
  authenticator: text,
  id: text.optional(),
  principal: z.strictObject({ authenticator: text, subject: text }).optional(),
});

const detailSchema = z.strictObject({
  methods: z.array(z.string()).readonly().optional(),
  operations: z.array(z.string()).readonly().optional(),
  routes: z.array(z.string()).readonly().optional(),
  services: z.array(z.string()).readonly().optional(),
  type: z.literal(ACCESS_DETAIL_TYPE),
});

const binding = z.enum(["none", "dpop", "mtls"]);

const issueSchema = z.strictObject({
  as: z.enum(["subject", "actor"]),
  binding,
  client: text,
  grant: z.enum(["client-credentials", "token-exchange", "jwt-bearer"]),
  lifetimeSeconds: count,
  narrowed: z.boolean(),
  other: text.optional(),
  questions: count,
});

const keySchema = z.strictObject({
  ancestors: z.array(ancestorSchema).readonly().default([]),
  audience: texts,
  binding,
  clientId: text,
  details: z.array(detailSchema).readonly().optional(),
  expiresAt: count,
  id: text,
  scopes: texts,
});

const readSchema = z.strictObject({
  hashes: texts,
  kind: z.enum(["header", "query"]),
  name: text,
  unreadable: z.literal(true).optional(),
});

const truncatedSchema = z.record(z.string(), z.strictObject({ bytes: count, hash: text }));

const shadowSchema = z.strictObject({
  bundle: text,
  determining: texts,
  reason: z.enum([
    "permitted",
    "no-permit",
    "forbidden",
    "policy-error",
    "step-up-required",
    "internal-error",
  ]),
});

const usageSchema = z.strictObject({
  cost: number.min(0).default(1),
  plan: text.optional(),
});

/** A decision as it is read back. What was left out because it was empty is empty again. */
export const decisionSchema = z.strictObject({
  action: text.optional(),
  actor: actorSchema.optional(),
  asked: z.strictObject({ by: text, decisionId: text, time: time.optional() }).optional(),
  authn: authnSchema.optional(),
  body: z.record(z.string(), bodyValueSchema).optional(),
  bundle: text,
  clientAddress: text.optional(),
  credentials: z.array(credentialSchema).readonly().default([]),
  decision: z.enum(["permit", "deny"]),
  decisionId: text,
  detail: text.optional(),
  determining: texts,
  device: principalSchema.optional(),
  erroring: texts,
  host: text.optional(),
  httpVersion: z.enum(["1.0", "1.1", "2"]).optional(),
  issue: issueSchema.optional(),
  key: keySchema.optional(),
  listener: text,
  method: text.optional(),
  params: z.record(z.string(), z.string()).default({}),
  path: text.optional(),
  peerAddress: text,
  peerCertificate: certificateSchema.optional(),
  peerPort: z.int().min(0).max(65_535),
  principal: principalSchema.optional(),
  query: text.optional(),
  reads: z.array(readSchema).readonly().default([]),
  reason,
  redacted: texts,
  requestId: text,
  route: text.optional(),
  rpc: rpcSchema.optional(),
  scopes: texts,
  service: text.optional(),
  servicePath: text.optional(),
  shadow: shadowSchema.optional(),
  stream: text.optional(),
  time,
  trace: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  truncated: truncatedSchema.default({}),
  type: z.literal("decision"),
  usage: usageSchema.optional(),
  v: version,
  workload: principalSchema.optional(),
});

export const completionSchema = z.strictObject({
  decisionId: text,
  durationMs: z.number().min(0),
  end: z.union([z.literal("complete"), reason]),
  grpcStatus: z.int().min(0).max(16).optional(),
  requestBytes: count,
  responseBytes: count,
  status: z.int().min(0).max(999),
  time,
  type: z.literal("completion"),
  upstream: text.optional(),
  upstreamMs: z.number().min(0).optional(),
  v: version,
});

const countSchema = z.strictObject({
  cause: z.enum(["rate", "space", "unwritable"]),
  count,
  listener: text,
  reason,
});

export const summarySchema = z.strictObject({
  counts: z.array(countSchema).readonly(),
  from: time,
  time,
  type: z.literal("summary"),
  v: version,
});

export const eventSchema = z.strictObject({
  address: text.optional(),
  decisions: texts,
  detail: text,
  event: z.enum(Object.keys(EVENTS) as [EventName, ...EventName[]]),
  figures: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  principal: text.optional(),
  time,
  type: z.literal("event"),
  v: version,
});

const recordSchema = z.discriminatedUnion("type", [
  decisionSchema,
  completionSchema,
  summarySchema,
  eventSchema,
]);

export type RecordedDecision = z.output<typeof decisionSchema>;
export type RecordedCompletion = z.output<typeof completionSchema>;
export type RecordedSummary = z.output<typeof summarySchema>;
export type RecordedEvent = z.output<typeof eventSchema>;
export type RecordedEntry = RecordedDecision | RecordedCompletion | RecordedSummary | RecordedEvent;

/** A line that is not a record. */
export interface RecordFault {
  /** For the operator; holds no value of the line. */
  readonly fault: string;
}

/** One line without its line feed. */
export function parseRecord(line: string): RecordedEntry | RecordFault {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { fault: "not JSON" };
  }
  const result = recordSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return {
    fault: `not a record of schema v1: ${issue?.path.join(".") ?? ""} (${issue?.code ?? ""})`,
  };
}

export function isRecordFault(entry: RecordedEntry | RecordFault): entry is RecordFault {
  return "fault" in entry;
}
