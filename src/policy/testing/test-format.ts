/**
 * The format of test files: what a case may say, before anything of it is looked up. Unknown keys are
 * errors. docs/policy-tests.md is the reference for people.
 */
import { z } from "zod";

export const TEST_LIMITS = {
  /** Files; each is read at every reload. */
  files: 1000,
  /** Bytes of one file: 10 000 cases have some 2 MB. */
  file: 4 * 1024 * 1024,
  /** Cases of all files, tables unfolded: 10 000 take a thread some two seconds, and a reload waits for them. */
  cases: 100_000,
  /** Characters of a case's name: it stands in one line of a report. */
  name: 200,
  /** Steps from one `like` to the next. */
  like: 16,
} as const;

const textsSchema = z.array(z.string()).readonly();
const attributeSchema = z.union([z.string(), z.boolean(), z.int(), z.bigint(), textsSchema], {
  error: "a text, true or false, a whole number, or a list of texts",
});

const principalMapping = z
  .strictObject({
    like: z.string().optional(),
    id: z.string().optional(),
    roles: textsSchema.optional(),
    groups: textsSchema.optional(),
    attributes: z.record(z.string(), attributeSchema).readonly().optional(),
  })
  .readonly();

const principalSchema = z.union([z.string(), principalMapping], {
  error: 'Anonymous, User::"corp/alice", a name in principals, or a mapping with id',
});

const valuesSchema = z
  .record(z.string(), z.union([z.string(), textsSchema], { error: "a text or a list of texts" }))
  .readonly();

const requestObject = z.strictObject({
  like: z.string().optional(),
  route: z.string().optional(),
  params: z.record(z.string(), z.string()).readonly().optional(),
  action: z.string().optional(),
  method: z.string().optional(),
  url: z.string().optional(),
  host: z.string().optional(),
  path: z.string().optional(),
  query: z.union([z.string(), valuesSchema], { error: "a text or a mapping" }).optional(),
  headers: valuesSchema.optional(),
  ip: z.string().optional(),
  time: z.string().optional(),
  scopes: textsSchema.optional(),
  authn: z
    .strictObject({
      kind: z.string().min(1, "a type of authenticator").optional(),
      acr: z.string().optional(),
      amr: textsSchema.optional(),
      age: z.int().min(0, "seconds, 0 or more").optional(),
      bound: z.boolean().optional(),
    })
    .readonly()
    .optional(),
  workload: principalSchema.optional(),
  device: principalSchema.optional(),
  actor: z
    .strictObject({
      id: z.string(),
      issuer: z.string().optional(),
      clientId: z.string().optional(),
      behind: textsSchema.optional(),
    })
    .readonly()
    .optional(),
  body: z.record(z.string(), attributeSchema).readonly().optional(),
  service: z.string().optional(),
  key: z
    .strictObject({
      lifetime: z.int().min(1, "seconds, 1 or more").optional(),
      binding: z.enum(["none", "dpop", "mtls"]).optional(),
      grant: z.enum(["client-credentials", "token-exchange", "jwt-bearer"]).optional(),
      as: z.enum(["subject", "actor"]).optional(),
      client: z.string().optional(),
      narrowed: z.boolean().optional(),
      other: z.string().optional(),
    })
    .readonly()
    .optional(),
  rpc: z
    .strictObject({
      kind: z.enum(["request", "notification", "response"]).optional(),
      method: z.string().optional(),
      tool: z.string().optional(),
      resource: z.string().optional(),
      prompt: z.string().optional(),
    })
    .readonly()
    .optional(),
});

/** A request as cases write it. */
export const requestMapping = requestObject.readonly();

/** What a request says beside its method and its route: the context of a question from elsewhere. */
export const requestContextSchema = requestObject
  .omit({
    like: true,
    route: true,
    params: true,
    action: true,
    method: true,
    service: true,
    key: true,
    body: true,
    rpc: true,
  })
  .readonly();

const requestSchema = z.union([z.string(), requestMapping], {
  error: "a name in requests, or a mapping with method and path",
});

/** What policies can say, and what the router says before they are asked. */
export const EXPECTED_REASONS = [
  "permitted",
  "no-permit",
  "forbidden",
  "policy-error",
  "step-up-required",
  "no-route",
  "method-not-allowed",
  "unknown-operation",
] as const;

/** Reports have a line for each case. */
const ONE_LINE = /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u;

const decisionSchema = z.enum(["permit", "deny"]);

const expectMapping = z
  .strictObject({
    decision: decisionSchema,
    reason: z.enum(EXPECTED_REASONS).optional(),
    determining: textsSchema.optional(),
    determiningIncludes: z.array(z.string()).min(1, "at least one id").readonly().optional(),
  })
  .readonly();

export const caseSchema = z
  .strictObject({
    name: z.string().regex(ONE_LINE, "what it shows, in one line").max(TEST_LIMITS.name),
    principal: principalSchema.optional(),
    request: requestSchema.optional(),
    expect: z.union([decisionSchema, expectMapping], { error: "permit, deny, or a mapping" }),
  })
  .readonly();

/** Cases are looked at one by one, after their tables are unfolded. */
export const fileSchema = z
  .strictObject({
    defaults: z
      .strictObject({
        principal: principalSchema.optional(),
        request: requestMapping.optional(),
      })
      .readonly()
      .optional(),
    principals: z.record(z.string(), principalSchema).readonly().optional(),
    requests: z.record(z.string(), requestMapping).readonly().optional(),
    cases: z.array(z.unknown()).min(1, "at least one case").readonly(),
  })
  .readonly();

export type WrittenPrincipal = z.output<typeof principalSchema>;
export type WrittenRequest = z.output<typeof requestMapping>;
export type WrittenCase = z.output<typeof caseSchema>;
export type WrittenFile = z.output<typeof fileSchema>;
export type ExpectedReason = (typeof EXPECTED_REASONS)[number];

/** What a case says that is to come out. */
export interface Expectation {
  readonly decision: "permit" | "deny";
  readonly reason: ExpectedReason | undefined;
  /** Exactly these, in any order. */
  readonly determining: readonly string[] | undefined;
  /** These among others. */
  readonly determiningIncludes: readonly string[] | undefined;
}
