/**
 * Redeeming join tokens and renewing identities, over the store: what the endpoint does once a proof
 * is verified.
 *
 * Each is one commit that expects what was read, so that of two who redeem one token, here or at
 * another authority over the same store, exactly one wins. Whoever asks again with the very key that
 * won (its answer was lost) is answered again: the same machine, the same key, nobody gains anything.
 *
 * A renewal with a key that has been replaced is refused and recorded: then one key is in two hands,
 * and the operator has to look.
 */
import { createHash } from "node:crypto";
import type { Clock, Log } from "../../model/ports.ts";
import type { Store, StoredDocument, Write } from "../../model/store.ts";
import type { EnrolmentMethod, WorkloadKind } from "../../model/workloads.ts";
import { type ProvenKey, readProvenKey } from "./enrolment-proof.ts";
import { tokenHash } from "./enrolment-token.ts";
import { isWorkloadName, readWorkloadUri, trustDomainOf, workloadUri } from "./workload-id.ts";
import {
  bodyOf,
  readToken,
  readWorkload,
  type RecordedKey,
  type WorkloadRecord,
} from "./workload-record.ts";

export const ENROLMENT_LIMITS = {
  /** A certificate's life. Short, because nobody asks a revocation list; long enough for a night without an authority. */
  certificateMs: 24 * 3_600_000,
  /** The same of a key of private-key-jwt, which is looked up on every use. */
  keyMs: 30 * 86_400_000,
  /** So long the certificate before is still let in: connections move over, and answers get lost. */
  overlapMs: 10 * 60_000,
  /** Certificates of one key: each lost answer is one more. */
  certificates: 8,
  /** Others changed the same machine in between. */
  attempts: 5,
  /** Suspicions of one machine are written so often. */
  suspicionMs: 5 * 60_000,
} as const;

/** What the certificate authority is asked for (`keys/`). */
export interface MachineCertificates {
  /** PEM. */
  roots(): readonly string[];
  issue(request: {
    readonly publicKey: ProvenKey["verification"]["keyObject"];
    readonly commonName: string;
    readonly uris: readonly string[];
    readonly dnsNames: readonly string[];
    readonly ipAddresses: readonly string[];
    readonly usages: readonly ("client" | "server")[];
    readonly lifetimeMs: number;
  }): Issued;
}

export interface Issued {
  readonly pem: string;
  readonly der: Uint8Array;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** An identity that was given out. */
export interface Granted {
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly method: EnrolmentMethod;
  readonly notAfterMs: number;
  /** PEM; undefined with private-key-jwt. */
  readonly certificate: string | undefined;
  /** RFC 7638 thumbprint; with private-key-jwt the `kid` of its assertions. */
  readonly thumbprint: string;
}

export type EnrolmentRefusal =
  /** Guessed, used, late, ended, of a disabled machine: one answer for all. */
  | "token-refused"
  | "identity-unknown"
  | "identity-disabled"
  /** Its key was replaced, or the machine was enrolled anew. */
  | "identity-superseded"
  | "identity-expired"
  | "key-not-new"
  /** Others change it all the time; try again. */
  | "contended";

export interface Refused {
  readonly refused: EnrolmentRefusal;
  /** Whom it is about, where that is known and proven. */
  readonly name?: string;
}

/** Who asks for a renewal: by certificate, whose chain and time have been verified, or by registered key. */
export type Presented =
  | { readonly certificate: { readonly uris: readonly string[]; readonly thumbprint: string } }
  | { readonly name: string; readonly key: string };

export interface EnrolmentDeps {
  readonly store: Store;
  readonly ca: MachineCertificates;
  readonly clock: Clock;
  readonly log: Log;
  readonly issuer: string;
  readonly certificateLifetimeMs?: number | undefined;
}

export interface Enrolment {
  redeem(secret: string, key: ProvenKey): Promise<Granted | Refused>;
  renew(presented: Presented, key: ProvenKey, address: string): Promise<Granted | Refused>;
  /** The key of this thumbprint that a machine of method private-key-jwt has, or had last. */
  registeredKey(name: string, thumbprint: string): Promise<ProvenKey | undefined>;
}

export function createEnrolment(deps: EnrolmentDeps): Enrolment {
  const { store, ca, log } = deps;
  const trustDomain = trustDomainOf(deps.issuer);
  const certificateMs = deps.certificateLifetimeMs ?? ENROLMENT_LIMITS.certificateMs;

  /** The record's key for this public key, with a certificate where the method wants one. */
  function register(
    { id: name }: StoredDocument,
    { kind, method, key: before }: WorkloadRecord,
    { key, nowMs }: { readonly key: ProvenKey; readonly nowMs: number },
  ): { readonly recorded: RecordedKey; readonly granted: Granted } {
    const { thumbprint, jwk } = key;
    const again = before?.thumbprint === thumbprint ? before : undefined;
    const common = { name, kind, method, thumbprint };
    const registered = { thumbprint, jwk, registeredMs: again?.registeredMs ?? nowMs };
    if (method === "private-key-jwt") {
      const notAfterMs = again?.notAfterMs ?? nowMs + ENROLMENT_LIMITS.keyMs;
      const recorded = { ...registered, notAfterMs, certificates: [] };
      return { recorded, granted: { ...common, notAfterMs, certificate: undefined } };
    }
    const issued = ca.issue({
      publicKey: key.verification.keyObject,
      commonName: name,
      uris: [workloadUri(trustDomain, { kind, name })],
      // A relay is reached under its own name, and can pass for no other machine.
      dnsNames: kind === "proxy" ? [name] : [],
      ipAddresses: [],
      usages: kind === "proxy" ? ["client", "server"] : ["client"],
      lifetimeMs: certificateMs,
    });
    const made = createHash("sha256").update(issued.der).digest("base64url");
    const certificates = [...(again?.certificates ?? []), made];
    const { notAfterMs, serial, pem } = issued;
    return {
      recorded: {
        ...registered,
        notAfterMs,
        serial,
        certificates: certificates.slice(-ENROLMENT_LIMITS.certificates),
      },
      granted: { ...common, notAfterMs, certificate: pem },
    };
  }

  async function redeemOnce(
    secret: string,
    key: ProvenKey,
  ): Promise<Granted | Refused | undefined> {
    const id = tokenHash(secret);
    // One that expired is absent, by the store's own clock.
    const tokenDocument = await store.get("join-tokens", id);
    if (tokenDocument === undefined) return { refused: "token-refused" };
    const token = readToken(tokenDocument);
    const document = await store.get("workloads", token.name);
    const record = document && readWorkload(document);
    if (document === undefined || record === undefined) return { refused: "token-refused" };
    if (!mayRedeem(record, { id, redeemedBy: token.redeemedBy, key })) {
      return { refused: "token-refused" };
    }
    // A new token is there because the key is not to be used any longer.
    const over = [record.key?.thumbprint, ...(record.withdrawn ?? [])];
    if (token.redeemedBy === undefined && over.includes(key.thumbprint)) {
      return { refused: "key-not-new", name: token.name };
    }
    const { timeMs: nowMs } = await store.now();
    const { recorded, granted } = register(document, record, { key, nowMs });
    const {
      invitation: _used,
      previous: _gone,
      suspicion: _settled,
      withdrawn: _replaced,
      ...rest
    } = record;
    const commit = await store.commit([
      {
        collection: "join-tokens",
        id,
        body: bodyOf({ name: token.name, redeemedBy: key.thumbprint }),
        expiresMs: tokenDocument.expiresMs,
        expect: tokenDocument.number,
      },
      workloadWrite(document, { ...rest, key: recorded }),
      // Enrolled anew, perhaps because the machine before it is in other hands: it publishes its own.
      { collection: "assertion-keys", id: token.name, body: undefined },
    ]);
    if (commit.conflict !== undefined) return undefined;
    log.info("workloads: a machine was enrolled", { name: granted.name, kind: granted.kind });
    return granted;
  }

  async function renewOnce(
    presented: Presented,
    key: ProvenKey,
    address: string,
  ): Promise<Granted | Refused | undefined> {
    const found = await find(presented);
    if ("refused" in found) return found;
    const { document, record } = found;
    const name = document.id;
    const { timeMs: nowMs } = await store.now();
    const by = holderOf(record, presented);
    const answeredBefore = by === "previous" && record.key?.thumbprint === key.thumbprint;
    if (by !== "current" && !answeredBefore) {
      await suspect(document, record, { nowMs, address });
      return { refused: "identity-superseded", name };
    }
    if (by === "current" && record.key?.thumbprint === key.thumbprint) {
      return { refused: "key-not-new", name };
    }
    const end = by === "current" ? record.key?.notAfterMs : record.previous?.notAfterMs;
    // The listener has looked at the certificate's end; of a registered key only we know it.
    if (end === undefined || nowMs >= end) return { refused: "identity-expired", name };
    const { recorded, granted } = register(document, record, { key, nowMs });
    const previous =
      by === "current" && record.key !== undefined
        ? {
            thumbprint: record.key.thumbprint,
            jwk: record.key.jwk,
            certificates: record.key.certificates,
            notAfterMs: record.key.notAfterMs,
            followsUntilMs: nowMs + ENROLMENT_LIMITS.overlapMs,
          }
        : record.previous;
    const commit = await store.commit([
      workloadWrite(document, { ...record, key: recorded, previous }),
    ]);
    if (commit.conflict !== undefined) return undefined;
    log.debug("workloads: an identity was renewed", { name });
    return granted;
  }

  async function find(
    presented: Presented,
  ): Promise<{ readonly document: StoredDocument; readonly record: WorkloadRecord } | Refused> {
    const who = whoIs(presented);
    const document = who && (await store.get("workloads", who.name));
    if (document === undefined) return { refused: "identity-unknown" };
    const name = document.id;
    const record = readWorkload(document);
    const byCertificate = "certificate" in presented;
    const fits =
      (who?.kind === undefined || who.kind === record.kind) &&
      byCertificate === (record.method === "mtls");
    if (!fits) return { refused: "identity-unknown" };
    if (record.disabled !== undefined) return { refused: "identity-disabled", name };
    if (record.key === undefined) return { refused: "identity-superseded", name };
    return { document, record };
  }

  function whoIs(
    presented: Presented,
  ): { readonly name: string; readonly kind?: WorkloadKind } | undefined {
    if ("name" in presented) return isWorkloadName(presented.name) ? presented : undefined;
    const [uri, ...more] = presented.certificate.uris;
    // A certificate with two URIs is no X.509-SVID (section 2), and none of ours.
    return uri === undefined || more.length > 0 ? undefined : readWorkloadUri(trustDomain, uri);
  }

  async function suspect(
    document: StoredDocument,
    record: WorkloadRecord,
    { nowMs, address }: { readonly nowMs: number; readonly address: string },
  ): Promise<void> {
    log.error(
      "workloads: a key that was replaced asks for a renewal; it or its successor is in two hands",
      { name: document.id, address },
    );
    const last = record.suspicion?.atMs ?? 0;
    if (nowMs - last < ENROLMENT_LIMITS.suspicionMs) return;
    // Where another was faster, that one is as new.
    await store.commit([
      workloadWrite(document, { ...record, suspicion: { atMs: nowMs, address } }),
    ]);
  }

  return {
    redeem: (secret, key) => untilSettled("token-refused", () => redeemOnce(secret, key)),
    renew: (presented, key, address) =>
      untilSettled("contended", () => renewOnce(presented, key, address)),
    async registeredKey(name, thumbprint) {
      const document = isWorkloadName(name) ? await store.get("workloads", name) : undefined;
      if (document === undefined) return undefined;
      const { method, key, previous } = readWorkload(document);
      const found = [key, previous].find((one) => one?.thumbprint === thumbprint);
      return found === undefined || method === "mtls" ? undefined : readProvenKey(found.jwk);
    },
  };
}

/** Again, from the start, where somebody else was faster. */
async function untilSettled(
  otherwise: EnrolmentRefusal,
  once: () => Promise<Granted | Refused | undefined>,
): Promise<Granted | Refused> {
  for (let attempt = 0; attempt < ENROLMENT_LIMITS.attempts; attempt++) {
    const outcome = await once();
    if (outcome !== undefined) return outcome;
  }
  return { refused: otherwise };
}

function mayRedeem(
  { disabled, invitation, key: registered }: WorkloadRecord,
  token: { readonly id: string; readonly redeemedBy: string | undefined; readonly key: ProvenKey },
): boolean {
  if (disabled !== undefined) return false;
  const { thumbprint } = token.key;
  if (token.redeemedBy === undefined) return invitation?.token === token.id;
  return token.redeemedBy === thumbprint && registered?.thumbprint === thumbprint;
}

/** Whose key or certificate it is. */
function holderOf(
  { key, previous }: WorkloadRecord,
  presented: Presented,
): "current" | "previous" | undefined {
  const holds = (
    one: { readonly thumbprint: string; readonly certificates: readonly string[] } | undefined,
  ): boolean =>
    one !== undefined &&
    ("certificate" in presented
      ? one.certificates.includes(presented.certificate.thumbprint)
      : one.thumbprint === presented.key);
  if (holds(key)) return "current";
  return holds(previous) ? "previous" : undefined;
}

function workloadWrite({ id, number }: StoredDocument, record: WorkloadRecord): Write {
  return { collection: "workloads", id, body: bodyOf(record), expect: number };
}
