/**
 * The endpoints of the token endpoint by themselves: with clients, tokens and policies that say what a test
 * wants, real proofs and a real memory of what was used.
 */
import { createHash } from "node:crypto";
import { createTargets } from "../../src/authority/token/targets.ts";
import type { TokenSnapshot } from "../../src/authority/token/token-call.ts";
import { createTokenEndpoints } from "../../src/authority/token/token-endpoints.ts";
import { readJws } from "../../src/crypto/jws.ts";
import type { Denial } from "../../src/gate/decision.ts";
import type { Gate } from "../../src/gate/gate.ts";
import type { IssueAnswer } from "../../src/gate/issue.ts";
import type { OwnOutcome, OwnRequest } from "../../src/gate/own.ts";
import type { BodyReader, Exchange } from "../../src/http/exchange.ts";
import { createProofVerifier } from "../../src/identity/dpop/dpop.ts";
import { dpopSchema } from "../../src/identity/dpop/dpop-options.ts";
import { SallyportError } from "../../src/model/errors.ts";
import type { CredentialFacts, Verified } from "../../src/model/facts.ts";
import type {
  IssueQuestion,
  KeyClaims,
  KeyIssuing,
  RegisteredClient,
} from "../../src/model/issued-keys.ts";
import type { Principal } from "../../src/model/principal.ts";
import type { Reason } from "../../src/model/reason.ts";
import type { SharedMemory } from "../../src/model/shared-memory.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { getField } from "../../src/wire/fields.ts";
import { factsOf } from "../identity/facts.ts";
import { testMemory } from "../identity/memory.ts";
import { signToken, type TestKey, testKey } from "../issuer.ts";
import { recordedLog, recordedMetrics } from "../ports.ts";

export const NOW = 1_800_000_000_000;
export const ORIGIN = "https://keys.example.com";
export const ISSUER = "https://sallyport.example.com";
export const TOKEN = "/.sallyport/token";
export const SECRET = "an-old-secret-that-nobody-changes";

export const jobKey = testKey("job-1", "ES256");
export const strangerKey = testKey("stranger", "ES256");

export function workload(subject: string, authenticator = "keys"): Principal {
  return { kind: "workload", authenticator, subject, roles: [], groups: [], attributes: {} };
}

function client(id: string, proofs: Partial<RegisteredClient>): RegisteredClient {
  const none = { keys: [], certificates: [], secrets: [] };
  return { id, principal: workload(id), ...none, ...proofs, source: "declared" };
}

export const CERTIFICATE = "c".repeat(43);
export const OTHER_CERTIFICATE = "d".repeat(43);

const CLIENTS = [
  client("job", { keys: [jobKey.jwk as never], certificates: [CERTIFICATE] }),
  client("old", { secrets: [createHash("sha256").update(SECRET).digest("base64url")] }),
  client("billing", { keys: [testKey("billing", "ES256").jwk as never] }),
];

export interface AssertionOptions {
  readonly key?: TestKey;
  readonly header?: object;
  readonly claims?: object;
  readonly client?: string;
}

let made = 0;

/** What a client signs for us; `undefined` leaves a claim out. */
export function clientAssertion({
  key = jobKey,
  header,
  claims,
  client: id = "job",
}: AssertionOptions = {}): string {
  made += 1;
  const now = NOW / 1000;
  const good = { iss: id, sub: id, aud: ISSUER, iat: now, exp: now + 60, jti: `jti-${made}` };
  return signToken(
    key,
    { alg: key.algorithm, kid: key.kid, typ: "JWT", ...header },
    { ...good, ...claims },
  );
}

export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
export const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

/** Parameters that prove the client `job`. */
export function asJob(options: AssertionOptions = {}): Record<string, string> {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: clientAssertion(options) };
}

export interface TokenRequest {
  readonly path?: string;
  readonly method?: string;
  readonly query?: string;
  readonly type?: string | undefined;
  readonly authorization?: string | undefined;
  readonly fields?: readonly string[];
  /** Thumbprint of the caller's certificate. */
  readonly certificate?: string;
  /** As text, or its pairs. */
  readonly body?:
    | string
    | Readonly<Record<string, string>>
    | readonly (readonly [string, string])[];
  readonly bodyFault?: Reason;
}

export interface GroundOptions {
  /** By token: what authenticators say of it. */
  readonly subjects?: Readonly<Record<string, Verified>>;
  readonly assertions?: (token: string) => Verified;
  readonly keys?: Readonly<Record<string, Verified>>;
  readonly certificates?: (thumbprint: string) => Verified | undefined;
  readonly issue?: (question: IssueQuestion) => Reason;
  readonly revoked?: (facts: CredentialFacts) => boolean;
  readonly budgetSpent?: boolean;
  /** What recording comes to; else it is recorded. */
  readonly recorded?: Reason;
  readonly durable?: () => Promise<void>;
  readonly nonce?: "required";
  readonly shared?: SharedMemory;
  readonly issuing?: Partial<KeyIssuing>;
  readonly tokens?: Partial<TokenSnapshot>;
}

export interface TokenReply {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly field: (name: string) => string | undefined;
  readonly outcome: OwnOutcome | undefined;
}

export function tokenGround(options: GroundOptions = {}) {
  const clock = new ManualClock(NOW);
  const shared = options.shared ?? testMemory(clock);
  const metrics = recordedMetrics();
  const log = recordedLog();
  const seen = {
    charged: 0,
    questions: [] as IssueQuestion[],
    claims: [] as KeyClaims[],
    outcomes: [] as OwnOutcome[],
    revoked: [] as unknown[],
    used: [] as string[],
    completions: 0,
  };
  const byText = (known: Readonly<Record<string, Verified>> = {}) => ({
    recall: () => undefined,
    verify: (token: string): Verified =>
      known[token] ?? { failure: "unknown-issuer", detail: "unknown", costly: false },
  });
  const { nonce: _, ...dpop } = dpopSchema.parse(undefined);
  const tokens: TokenSnapshot = {
    origins: new Map([["edge", ORIGIN]]),
    certificateListeners: new Set(["edge"]),
    keyListeners: new Set(["edge"]),
    authenticator: "keys",
    lifetimeMs: 300_000,
    mostLifetimeMs: 600_000,
    targets: createTargets(
      ["billing", "orders"],
      [
        {
          name: "invoices",
          service: "billing",
          audience: ["https://billing.example.com", "https://both.example"],
        },
        { name: "orders", service: "orders", audience: ["https://both.example"] },
        { name: "home" },
      ],
      [
        ["billing", "getInvoice"],
        ["orders", "getOrder"],
      ],
    ),
    declared: new Map(CLIENTS.map((one) => [one.id, one])),
    certificates: {
      verify: (tls) => options.certificates?.(tls.certificate?.thumbprint ?? ""),
    },
    assertions: {
      recall: () => undefined,
      verify: (token) =>
        options.assertions?.(token) ?? { failure: "unknown-issuer", detail: "", costly: false },
    },
    subjects: byText(options.subjects),
    keys: byText(options.keys),
    proofs: createProofVerifier({ ...dpop, nonce: options.nonce ?? "off" }, { shared, metrics }),
    proofAlgorithms: ["ES256"],
    ...options.tokens,
  };
  const issuing: KeyIssuing = {
    issuer: ISSUER,
    sign: (claims) => {
      seen.claims.push(claims);
      return `key-${seen.claims.length}`;
    },
    client: () => Promise.resolve(undefined),
    used: (id) => void seen.used.push(id),
    revoke: async (...of) => void seen.revoked.push(of),
    ...options.issuing,
  };
  const own: OwnRequest = {
    request: {} as never,
    timeMs: NOW,
    decisionId: "decision-1",
    budgetSpent: options.budgetSpent ?? false,
    charge: () => void (seen.charged += 1),
    revoked: options.revoked ?? (() => false),
    issue(questions): IssueAnswer {
      seen.questions.push(...questions);
      for (const denied of questions) {
        const reason = options.issue?.(denied) ?? "permitted";
        if (reason !== "permitted") return { reason, detail: undefined, denied };
      }
      return { reason: "permitted", detail: undefined, denied: undefined };
    },
    durable: () => options.durable?.(),
    conclude(outcome) {
      seen.outcomes.push(outcome);
      const denied = options.recorded ?? outcome.reason;
      return { denied, decisionId: "decision-1", recorded: true } as Denial;
    },
  };
  const endpoints = createTokenEndpoints({
    gate: { own: () => own } as unknown as Gate,
    metrics,
    log,
    clock,
    shared,
    issuing,
    random: (bytes) => new Uint8Array(bytes).fill(7),
    audit: { completion: () => void (seen.completions += 1) } as never,
  });

  async function ask(request: TokenRequest = {}): Promise<TokenReply> {
    const replied = Promise.withResolvers<TokenReply>();
    const exchange = exchangeOf(request, (status, fields, body) => {
      replied.resolve({
        status,
        body: body === "" ? {} : (JSON.parse(body) as Record<string, unknown>),
        field: (name) => getField(fields, name),
        outcome: seen.outcomes.at(-1),
      });
    });
    const taken = endpoints.handle(exchange, { gate: {} as never, tokens });
    if (!taken) throw new Error("not taken");
    return await replied.promise;
  }

  return {
    seen,
    log,
    clock,
    shared,
    tokens,
    ask,
    /** Whether a path is for these endpoints. */
    takes: (path: string, listener = "edge") =>
      endpoints.handle(
        exchangeOf({ path, body: "" }, () => undefined, listener),
        { gate: {} as never, tokens },
      ),
    /** For client credentials of the client `job` for billing. */
    askAsJob: async (body: Readonly<Record<string, string>> = {}, rest: TokenRequest = {}) =>
      await ask({
        ...rest,
        body: { grant_type: "client_credentials", audience: "billing", ...asJob(), ...body },
      }),
  };
}

function exchangeOf(
  request: TokenRequest,
  reply: (status: number, fields: readonly string[], body: string) => void,
  listener = "edge",
): Exchange {
  const { path = TOKEN, method = "POST", query, body = "", authorization, certificate } = request;
  const type = "type" in request ? request.type : "application/x-www-form-urlencoded";
  const pairs = typeof body === "string" ? body : new URLSearchParams(body as never).toString();
  const fields = [
    ...(type === undefined ? [] : ["content-type", type]),
    ...(authorization === undefined ? [] : ["authorization", authorization]),
    ...(request.fields ?? []),
  ];
  const tls = certificate === undefined ? undefined : { certificate: { thumbprint: certificate } };
  let reader: BodyReader | undefined;
  return {
    head: {
      method,
      target: query === undefined ? path : `${path}?${query}`,
      fields,
      authorization,
    },
    connection: { listener, scheme: "https", peer: { tls }, trust: undefined },
    receivedAt: 0,
    gone: false,
    reply: (status: number, answered: readonly string[], text: string) =>
      reply(status, answered, text),
    stream: {
      attach: (one: BodyReader) => void (reader = one),
      read() {
        if (request.bodyFault !== undefined) return reader?.bodyFault(request.bodyFault, "");
        reader?.bodyChunk(Buffer.from(pairs));
        reader?.bodyEnd(undefined);
      },
      abort() {
        throw new Error("cut off");
      },
    },
  } as unknown as Exchange;
}

/** A token of alice that can be exchanged. */
export const alice = factsOf({ audience: [ISSUER], tokenId: "alice-1" });

/** One that is not ours to look at any more. */
export const unavailable: SharedMemory = {
  since: 0,
  claim: () => Promise.reject(new SallyportError("memory-unavailable", "away")),
  agree: () => Promise.reject(new SallyportError("memory-unavailable", "away")),
  get: () => Promise.reject(new SallyportError("memory-unavailable", "away")),
  put: () => Promise.reject(new SallyportError("memory-unavailable", "away")),
  remove: () => Promise.reject(new SallyportError("memory-unavailable", "away")),
};

/** Facts of a key of ours, and the key as text. */
export function ownKey(changes: Partial<CredentialFacts> = {}, claims: object = {}) {
  const now = NOW / 1000;
  const key = signToken(
    strangerKey,
    { alg: "ES256", typ: "at+jwt" },
    {
      iss: ISSUER,
      sub: "corp/alice",
      aud: "billing",
      client_id: "job",
      jti: "key-7",
      scope: "read",
      iat: now,
      exp: now + 60,
      principal: { kind: "user", secretish: "not for introspection" },
      ...claims,
    },
  );
  if ("fault" in readJws(key)) throw new Error("not a token");
  const facts = factsOf({
    authenticator: "keys",
    kind: "sallyport",
    audience: undefined,
    services: ["billing"],
    scopes: ["read"],
    tokenId: "key-7",
    clientId: "job",
    expiresAt: now + 60,
    ...changes,
  });
  return { key, facts };
}
