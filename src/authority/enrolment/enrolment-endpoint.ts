/**
 * `GET /roots`, `POST /enrol`, `POST /renew` and `POST /assertion-keys`, free of transport: `serve.ts` hands over what it read
 * and sends what comes back.
 *
 *     GET  /roots    the authority's roots in PEM. Nothing secret and nothing to be believed: a machine
 *                    takes those whose hash its join token names, and verifies the server by them
 *                    before it sends anything.
 *     POST /enrol    application/jose: `sallyport-enrol+jwt`
 *     POST /renew    application/jose: `sallyport-renew+jwt` over mTLS with the certificate that it
 *                    replaces, or `sallyport-rotate+jwt` by the registered key
 *     POST /assertion-keys
 *                    application/jose: `sallyport-assertion-key+jwt` over mTLS, by a proxy
 *
 * Answers are JSON, refusals problem documents (RFC 9457) with a `code`. A token that is unknown, used,
 * late, ended or of a disabled machine gets one and the same answer. Failures are counted by address
 * and in all before anything is verified; beyond either the answer is 429.
 */
import { readJws } from "../../crypto/jws.ts";
import { networkOf } from "../../limits/failure-budget.ts";
import { createGcra } from "../../limits/gcra.ts";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { PeerTls } from "../../model/peer-tls.ts";
import type { Clock, Log, Metrics } from "../../model/ports.ts";
import { checkProof, PROOF_TYPES, readProof } from "./enrolment-proof.ts";
import type { FeedCertifier } from "../feed/feed-signer.ts";
import { endorseRoots } from "../feed/root-endorsement.ts";
import { type KeyTimes, MACHINE_KEY_LIMITS, type MachineKeys } from "./machine-keys.ts";
import type { WorkloadAdmission } from "./workload-admission.ts";
import type { Enrolment, EnrolmentRefusal, Granted, Presented, Refused } from "./enrolment.ts";

export const ENDPOINT_LIMITS = {
  /** Bytes of a body: a proof within a proof has some two thousand. */
  body: 16 * 1024,
  /** Failures of one address: a person who mistypes has ten; a whole rack behind one address fits. */
  perAddress: { requests: 10, perMs: 60_000, burst: 30 },
  /** Failures in all: what costs a signature check and three reads each, at most. */
  inAll: { requests: 5, perMs: 1000, burst: 200 },
} as const;

export interface EnrolmentRequest {
  /** Of all Content-Type fields. */
  readonly contentType: readonly string[];
  /** At most `ENDPOINT_LIMITS.body` bytes; whoever reads it stops there and answers `bodyTooLarge()`. */
  readonly body: Uint8Array;
  /** The caller's certificate as the listener verified it against the authority's roots. */
  readonly peer: PeerTls | undefined;
  /** The caller's IP address. */
  readonly address: string;
}

export interface EnrolmentResponse {
  readonly status: number;
  /** Name, value, name, value. */
  readonly fields: readonly string[];
  readonly body: string;
}

export interface EnrolmentEndpoint {
  roots(): EnrolmentResponse;
  enrol(request: EnrolmentRequest): Promise<EnrolmentResponse>;
  renew(request: EnrolmentRequest): Promise<EnrolmentResponse>;
  /** Publishes a key that the machine signs assertions with. */
  publish(request: EnrolmentRequest): Promise<EnrolmentResponse>;
  bodyTooLarge(): EnrolmentResponse;
}

export interface EnrolmentEndpointDeps {
  readonly enrolment: Enrolment;
  /** Left out: nothing is published. */
  readonly machineKeys?: MachineKeys | undefined;
  /** Who may have something published. */
  readonly admission?: WorkloadAdmission | undefined;
  readonly ca: FeedCertifier;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** What proofs must be meant for. */
  readonly issuer: string;
}

/** Why there was no identity: status and title of the problem document. */
export const ENROLMENT_PROBLEMS = {
  "body-too-large": [413, "The request is too large"],
  "unsupported-media-type": [415, "The body has to be application/jose"],
  "proof-invalid": [400, "The proof of possession is not valid"],
  "clock-off": [400, "The machine's clock and the authority's are too far apart"],
  "certificate-required": [401, "A renewal needs the certificate that it replaces"],
  "certificate-refused": [403, "The certificate is not accepted"],
  "token-refused": [403, "The join token is not accepted"],
  "identity-unknown": [403, "No such machine is enrolled"],
  "identity-disabled": [403, "The machine is disabled"],
  "identity-superseded": [403, "The machine has another key by now"],
  "identity-expired": [403, "The machine's key has expired"],
  "key-not-new": [400, "A renewal needs a new key"],
  "not-a-proxy": [403, "Only a proxy signs assertions"],
  "too-many-keys": [507, "As many keys are published as can be"],
  contended: [503, "The machine is being changed; try again"],
  "too-many-failures": [429, "Too many failed attempts"],
  "store-unavailable": [503, "The authority's state cannot be reached"],
  "signing-unavailable": [503, "The authority has no root that may sign now"],
  "internal-error": [500, "Internal error"],
} as const satisfies Record<string, readonly [number, string]>;

/** Where waiting helps. */
const RETRY_SECONDS: Partial<Record<EnrolmentProblem, number>> = {
  contended: 1,
  "store-unavailable": 5,
  "signing-unavailable": 5,
};

export type EnrolmentProblem = keyof typeof ENROLMENT_PROBLEMS;

/** Everything that comes out of one verb: an identity, or why there is none. */
type Outcome =
  | Granted
  | Refused
  | { readonly published: string }
  | { readonly problem: EnrolmentProblem; readonly detail?: string };

export function createEnrolmentEndpoint(deps: EnrolmentEndpointDeps): EnrolmentEndpoint {
  const { enrolment, ca, clock, log, metrics, issuer } = deps;
  const perAddress = createGcra(ENDPOINT_LIMITS.perAddress);
  const inAll = createGcra(ENDPOINT_LIMITS.inAll);
  const outcomes = metrics.counter(
    "sallyport_enrolment_requests",
    "Requests for an identity by machines: `enrol` or `renew`, and what became of them.",
    ["verb", "outcome"],
  );

  /** Counts, answers, and turns what fails unexpectedly into an answer as well. */
  async function guarded(
    verb: "enrol" | "renew" | "publish",
    { address, contentType, body }: EnrolmentRequest,
    answer: () => Promise<Outcome>,
  ): Promise<EnrolmentResponse> {
    const network = networkOf(address);
    const nowMs = clock.monotonic();
    // Taken first and given back to who succeeds: many at once cannot all try before one has failed.
    const own = perAddress.take(network, 1, nowMs);
    const all = own.allowed ? inAll.take("", 1, nowMs) : own;
    const giveBack = (): void => {
      if (own.allowed) perAddress.giveBack(network, 1, nowMs);
      if (own.allowed && all.allowed) inAll.giveBack("", 1, nowMs);
    };
    let outcome: Outcome;
    if (!all.allowed) outcome = { problem: "too-many-failures" };
    else if (body.length > ENDPOINT_LIMITS.body) outcome = { problem: "body-too-large" };
    else if (!isJose(contentType)) outcome = { problem: "unsupported-media-type" };
    else outcome = await answer().catch((error: unknown) => failed(error, log));
    const code = codeOf(outcome);
    outcomes.with(verb, code).inc();
    // What is our own fault costs the caller nothing.
    const good = code === "granted" || code === "published";
    if (good || ENROLMENT_PROBLEMS[code][0] >= 500) giveBack();
    if ("published" in outcome) return json(200, "application/json", outcome);
    if (code === "granted") return granted(outcome as Granted);
    if (code === "published") throw new TypeError("what is published says so");
    const name = "refused" in outcome ? outcome.name : undefined;
    const detail = "detail" in outcome ? outcome.detail : undefined;
    if (code !== "too-many-failures") {
      log.warn("workloads: a machine got no identity", { verb, code, name, detail, address });
    }
    const wait = all.allowed ? RETRY_SECONDS[code] : Math.max(1, Math.ceil(all.retryMs / 1000));
    return problem(code, {
      nowMs: clock.now(),
      retrySeconds: wait,
    });
  }

  function granted({
    name,
    kind,
    method,
    thumbprint,
    certificate,
    notAfterMs,
  }: Granted): EnrolmentResponse {
    const own = certificate === undefined ? { clientId: name, kid: thumbprint } : { certificate };
    const trust = { roots: ca.roots(), endorsements: endorseRoots(ca) };
    const body = { name, kind, method, issuer, ...own, ...trust, notAfterMs };
    return json(200, "application/json", body);
  }

  async function enrol(body: Uint8Array): Promise<Outcome> {
    const nowMs = clock.now();
    const proof = readProof(textOf(body), { type: PROOF_TYPES.enrol, audience: issuer, nowMs });
    if ("fault" in proof) return { problem: proof.fault, detail: proof.detail };
    const secret = proof.claims["token"];
    if (typeof secret !== "string") return { problem: "proof-invalid", detail: "token is absent" };
    return enrolment.redeem(secret, proof.key);
  }

  async function renew({ body, peer, address }: EnrolmentRequest): Promise<Outcome> {
    const token = textOf(body);
    const jws = readJws(token);
    if ("fault" in jws) return { problem: "proof-invalid", detail: jws.detail };
    if (jws.type === PROOF_TYPES.rotate) return rotate(token, address);
    const nowMs = clock.now();
    const refusal = peer?.refusal(nowMs);
    if (refusal !== undefined && refusal !== "missing-certificate") {
      return { problem: "certificate-refused", detail: `${refusal}: ${peer?.detail ?? ""}` };
    }
    if (peer?.certificate === undefined) return { problem: "certificate-required" };
    return renewWith(
      token,
      { certificate: peer.certificate },
      { old: peer.certificate.thumbprint, address },
    );
  }

  /** The key of private-key-jwt: the old one vouches for the new one. */
  async function rotate(token: string, address: string): Promise<Outcome> {
    const jws = readJws(token);
    if ("fault" in jws) return { problem: "proof-invalid", detail: jws.detail };
    const { sub, proof } = jws.claims;
    if (typeof sub !== "string" || typeof proof !== "string" || jws.kid === undefined) {
      return { problem: "proof-invalid", detail: "sub, proof or kid is absent" };
    }
    const old = await enrolment.registeredKey(sub, jws.kid);
    if (old === undefined) return { refused: "identity-unknown" };
    const context = { type: PROOF_TYPES.rotate, audience: issuer, nowMs: clock.now() };
    const fault = checkProof(jws, old, context);
    if (fault !== undefined) return { problem: fault.fault, detail: fault.detail };
    return renewWith(proof, { name: sub, key: old.thumbprint }, { old: old.thumbprint, address });
  }

  async function renewWith(
    token: string,
    presented: Presented,
    { old, address }: { readonly old: string; readonly address: string },
  ): Promise<Outcome> {
    const context = { type: PROOF_TYPES.renew, audience: issuer, nowMs: clock.now() };
    const proof = readProof(token, context);
    if ("fault" in proof) return { problem: proof.fault, detail: proof.detail };
    if (proof.claims["old"] !== old) {
      return { problem: "proof-invalid", detail: "it is meant for another certificate or key" };
    }
    return enrolment.renew(presented, proof.key, address);
  }

  /** A key counts for the machine whose certificate shows that it asks, and for nobody else. */
  async function publish({ body, peer }: EnrolmentRequest): Promise<Outcome> {
    const { machineKeys, admission } = deps;
    const nowMs = clock.now();
    const refusal = peer?.refusal(nowMs);
    if (refusal !== undefined && refusal !== "missing-certificate") {
      return { problem: "certificate-refused", detail: `${refusal}: ${peer?.detail ?? ""}` };
    }
    if (peer?.certificate === undefined) return { problem: "certificate-required" };
    if (machineKeys === undefined || admission === undefined) return { problem: "not-a-proxy" };
    const admitted = await admission.admit(peer.certificate);
    if (admitted.refused !== undefined) return { refused: `identity-${admitted.refused}` };
    const { name, kind } = admitted;
    if (kind !== "proxy") return { problem: "not-a-proxy", detail: `${name} is a ${kind}` };
    const context = { type: PROOF_TYPES.assertionKey, audience: issuer, nowMs };
    const proof = readProof(textOf(body), context);
    if ("fault" in proof) return { problem: proof.fault, detail: proof.detail };
    if (proof.claims["old"] !== peer.certificate.thumbprint) {
      return { problem: "proof-invalid", detail: "it is meant for another certificate" };
    }
    const times = timesOf(proof.claims, nowMs);
    if (times === undefined)
      return { problem: "proof-invalid", detail: "times that none can have" };
    const outcome = await machineKeys.publish(name, proof.key, times);
    return outcome === "published" ? { published: proof.key.thumbprint } : { problem: outcome };
  }

  return {
    roots: () => ({
      status: 200,
      fields: ["content-type", "application/pem-certificate-chain", "cache-control", "no-store"],
      body: ca.roots().join(""),
    }),
    enrol: (request) => guarded("enrol", request, () => enrol(request.body)),
    renew: (request) => guarded("renew", request, () => renew(request)),
    publish: (request) => guarded("publish", request, () => publish(request)),
    bodyTooLarge: () => problem("body-too-large", { nowMs: clock.now(), retrySeconds: undefined }),
  };
}

/** In their order, and not for longer than a key is taken for. */
function timesOf(claims: JsonObject, nowMs: number): KeyTimes | undefined {
  const { activeMs, retiredMs, removedMs } = claims;
  if (typeof activeMs !== "number" || typeof retiredMs !== "number") return undefined;
  if (typeof removedMs !== "number" || ![activeMs, retiredMs, removedMs].every(Number.isInteger)) {
    return undefined;
  }
  const ordered = activeMs >= 0 && activeMs <= retiredMs && retiredMs <= removedMs;
  const near = removedMs > nowMs && removedMs <= nowMs + MACHINE_KEY_LIMITS.lifeMs;
  return ordered && near ? { activeMs, retiredMs, removedMs } : undefined;
}

function codeOf(outcome: Outcome): "granted" | "published" | EnrolmentProblem | EnrolmentRefusal {
  if ("published" in outcome) return "published";
  if ("problem" in outcome) return outcome.problem;
  return "refused" in outcome ? outcome.refused : "granted";
}

function failed(error: unknown, log: Log): Outcome {
  if (error instanceof SallyportError) {
    if (error.code === "store-unavailable") return { problem: "store-unavailable" };
    // Between two roots, or before the first: it is there again soon.
    if (error.code === "signing-unavailable") return { problem: "signing-unavailable" };
  }
  log.error("workloads: an identity could not be made", {
    error: error instanceof Error ? error : undefined,
  });
  return { problem: "internal-error" };
}

function problem(
  code: EnrolmentProblem,
  { nowMs, retrySeconds }: { readonly nowMs: number; readonly retrySeconds: number | undefined },
): EnrolmentResponse {
  const [status, title] = ENROLMENT_PROBLEMS[code];
  // The time, so that a machine whose clock is off can be told by how much.
  const body = { type: `urn:sallyport:enrolment:${code}`, status, title, code, timeMs: nowMs };
  const response = json(status, "application/problem+json", body);
  if (retrySeconds === undefined) return response;
  return { ...response, fields: [...response.fields, "retry-after", String(retrySeconds)] };
}

function json(status: number, type: string, body: unknown): EnrolmentResponse {
  return {
    status,
    fields: ["content-type", type, "cache-control", "no-store"],
    body: `${JSON.stringify(body)}\n`,
  };
}

/** RFC 7515 section 9.2.1; it has no parameters. */
function isJose(values: readonly string[]): boolean {
  return values.length === 1 && values[0]?.trim().toLowerCase() === "application/jose";
}

/** A compact JWS is ASCII; what is not is refused by its reader. */
function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString("latin1");
}
