/**
 * Workers issue keys by way of their supervisor, which keeps the authority and its signing keys: those
 * leave its process for nobody. A worker whose supervisor is gone issues none, and says so at once.
 */
import { type ErrorCode, SallyportError } from "../../model/errors.ts";
import type { KeyClaims, KeyIssuing, RegisteredClient } from "../../model/issued-keys.ts";
import type { RevocationTarget } from "../../model/revocation.ts";

const LIMITS = {
  /** Questions of one worker that wait for an answer: beyond it the supervisor is not keeping up. */
  inFlight: 256,
  /** Characters of the claims of one key: what is longer would be no token. */
  claimChars: 12 * 1024,
  idChars: 128,
  /** A subject with its authenticator's name, or the `jti` of another issuer. */
  nameChars: 1024,
  /** Milliseconds for what the supervisor asks its store. */
  storeMs: 5000,
} as const;

export type IssuingRequest =
  | { readonly verb: "sign"; readonly claims: KeyClaims }
  | { readonly verb: "client"; readonly id: string }
  | {
      readonly verb: "revoke";
      readonly target: RevocationTarget;
      readonly expiresMs: number;
      readonly by: string;
    };

export interface IssuingAnswer {
  /** Of `sign`. */
  readonly token?: string;
  /** Of `client`; left out: there is none. */
  readonly client?: RegisteredClient;
  readonly fault?: ErrorCode;
}

type Parts = Readonly<Record<string, unknown>>;

/** Whether it is one, looked at as closely as its answerer needs. */
export function isIssuingRequest(of: Parts): boolean {
  switch (of["verb"]) {
    case "sign":
      return areClaims(of["claims"]);
    case "client":
      return isText(of["id"], LIMITS.idChars);
    case "revoke":
      return (
        isTarget(of["target"]) && isWhole(of["expiresMs"], 1) && isText(of["by"], LIMITS.nameChars)
      );
    default:
      return false;
  }
}

/** That a registered client got a key: no answer. */
export function isClientUse(of: Parts): boolean {
  return isText(of["id"], LIMITS.idChars) && isWhole(of["atMs"], 0);
}

function areClaims(value: unknown): boolean {
  if (!isObject(value) || JSON.stringify(value).length > LIMITS.claimChars) return false;
  const { aud, iat, exp, principal } = value;
  const services: unknown = Array.isArray(aud) ? aud : [aud];
  return (
    ["iss", "sub", "client_id", "jti"].every((name) => isText(value[name], LIMITS.nameChars)) &&
    (services as readonly unknown[]).length > 0 &&
    (services as readonly unknown[]).every((service) => isText(service, LIMITS.nameChars)) &&
    isWhole(iat, 0) &&
    isWhole(exp, 0) &&
    isObject(principal)
  );
}

const TARGETS: Readonly<Record<RevocationTarget["kind"], readonly string[]>> = {
  id: ["authenticator", "id"],
  subject: ["authenticator", "subject"],
  authenticator: ["authenticator"],
  service: ["service"],
};

function isTarget(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind } = value;
  const names = Object.hasOwn(TARGETS, String(kind))
    ? TARGETS[kind as RevocationTarget["kind"]]
    : undefined;
  return names?.every((name) => isText(value[name], LIMITS.nameChars)) === true;
}

function isText(value: unknown, most: number): boolean {
  return typeof value === "string" && value !== "" && value.length <= most;
}

function isWhole(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isObject(value: unknown): value is Parts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The supervisor's side. Rejects only with what is a mistake of ours. */
export async function answerIssuing(
  issuing: KeyIssuing | undefined,
  request: IssuingRequest,
): Promise<IssuingAnswer> {
  if (issuing === undefined) return { fault: "signing-unavailable" };
  try {
    return await done(issuing, request);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { fault: error.code };
  }
}

async function done(issuing: KeyIssuing, request: IssuingRequest): Promise<IssuingAnswer> {
  if (request.verb === "sign") return { token: await issuing.sign(request.claims) };
  if (request.verb === "client") {
    const client = await issuing.client(request.id);
    return client === undefined ? {} : { client };
  }
  const { target, expiresMs, by } = request;
  await issuing.revoke(target, { expiresMs, by });
  return {};
}

/** What a worker reaches its supervisor by; undefined answers mean that it is gone. */
export interface IssuingSource {
  readonly connected: boolean;
  /** `patienceMs`: how long the answer may take; undefined: as long as one that asks nobody else. */
  issue(
    request: IssuingRequest,
    patienceMs: number | undefined,
  ): Promise<IssuingAnswer | undefined>;
  clientUsed(id: string, atMs: number): void;
}

/** The worker's side. */
export function supervisedIssuing(issuer: string, source: IssuingSource): KeyIssuing {
  let inFlight = 0;
  async function ask(
    request: IssuingRequest,
    given: { readonly away: ErrorCode; readonly patienceMs?: number },
  ): Promise<IssuingAnswer> {
    const { away } = given;
    if (!source.connected) throw new SallyportError(away, GONE);
    if (inFlight >= LIMITS.inFlight) throw new SallyportError(away, BUSY);
    inFlight += 1;
    try {
      const answer = await source.issue(request, given.patienceMs);
      if (answer === undefined) throw new SallyportError(away, GONE);
      if (answer.fault !== undefined) throw new SallyportError(answer.fault, REFUSED);
      return answer;
    } finally {
      inFlight -= 1;
    }
  }
  const inStore = { away: "store-unavailable", patienceMs: LIMITS.storeMs } as const;
  return {
    issuer,
    async sign(claims) {
      const { token } = await ask({ verb: "sign", claims }, { away: "signing-unavailable" });
      if (token === undefined) throw new SallyportError("signing-unavailable", REFUSED);
      return token;
    },
    client: async (id) => (await ask({ verb: "client", id }, inStore)).client,
    used: (id, nowMs) => source.clientUsed(id, nowMs),
    async revoke(target, { expiresMs, by }) {
      await ask({ verb: "revoke", target, expiresMs, by }, inStore);
    },
  };
}

const GONE = "the supervisor, which keeps the authority, is gone or does not answer";
const BUSY = `the supervisor has ${LIMITS.inFlight} questions about keys to answer`;
const REFUSED = "the supervisor, which keeps the authority, cannot do it now";
