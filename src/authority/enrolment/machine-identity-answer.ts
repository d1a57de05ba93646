/**
 * What an authority answers to a proof, checked before it becomes an identity: that the certificate is
 * for our very key and our name, in its time, and leads to a root among those that came with it. Refusals
 * become errors that say what to do.
 */
import { CLIENT_AUTH, parseCertificate } from "../../crypto/certificate.ts";
import { checkStanding, findChain, isChainFault } from "../../crypto/certificate-chain.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import { ENROLMENT_METHODS, WORKLOAD_KINDS } from "../../model/workloads.ts";
import type { AuthorityAnswer } from "./enrolment-client.ts";
import type { ProofKey } from "./enrolment-proof.ts";
import type { StoredIdentity } from "./machine-identity-folder.ts";
import { readRootList, unprovenRoots } from "../feed/root-endorsement.ts";
import { readRoots } from "./machine-roots.ts";
import { trustDomainOf, workloadUri } from "./workload-id.ts";

const LIMITS = {
  /** Each costs a signature check; there is one a root. */
  endorsements: 16,
} as const;

export interface AnswerContext {
  readonly key: ProofKey;
  readonly issuer: string;
  /** Whom it must be for. */
  readonly name: string;
  readonly nowMs: number;
  /** PEM of the authorities that it trusts now; further ones count where one of these vouches for them. */
  readonly known: readonly string[];
}

/** Everything of the identity but where it was had. Throws `enrolment-failed`. */
export function readGrant(
  { status, code, body }: AuthorityAnswer,
  context: AnswerContext,
): Omit<StoredIdentity, "authorities"> {
  if (status !== 200) throw refused(status, { code, body }, context);
  const { key, issuer, name, nowMs } = context;
  const kind = WORKLOAD_KINDS.find((one) => one === body["kind"]);
  const method = ENROLMENT_METHODS.find((one) => one === body["method"]);
  const notAfterMs = body["notAfterMs"];
  if (kind === undefined || method === undefined || typeof notAfterMs !== "number") {
    throw failed("its answer is of another version of sallyport");
  }
  if (body["name"] !== name) throw failed(`it answered as if this machine were not ${name}`);
  if (body["issuer"] !== issuer) throw failed(`it is not the authority ${issuer}`);
  const roots = provenRoots(readRoots(body["roots"]), body["endorsements"], context);
  const common = { name, kind, method, issuer, obtainedMs: nowMs, notAfterMs, roots };
  if (method === "private-key-jwt") {
    const { clientId, kid } = body;
    if (typeof clientId !== "string" || kid !== key.thumbprint) {
      throw failed("it registered another key than ours");
    }
    return { ...common, clientId, certificatePem: undefined };
  }
  const certificatePem = body["certificate"];
  if (typeof certificatePem !== "string") throw failed("its answer holds no certificate");
  const expected = workloadUri(trustDomainOf(issuer), { kind, name });
  checkOwn(certificatePem, { key, roots, expected, nowMs });
  return { ...common, clientId: undefined, certificatePem };
}

/**
 * Who holds the key of the authority's server, and not of its CA, could else name a root of his own and
 * be trusted for ever. Without a root that counts, our certificate leads to none either.
 */
function provenRoots(
  named: readonly string[],
  endorsements: unknown,
  { known, nowMs }: AnswerContext,
): string[] {
  const texts = Array.isArray(endorsements)
    ? endorsements.filter((text): text is string => typeof text === "string")
    : [];
  const unproven = unprovenRoots(readRootList(named), readRootList(known), {
    endorsements: texts.slice(0, LIMITS.endorsements),
    nowMs,
  }).map(({ thumbprint }) => thumbprint);
  return named.filter((pem) =>
    readRootList([pem]).every(({ thumbprint }) => !unproven.includes(thumbprint)),
  );
}

/** Throws `enrolment-failed` where our certificate does not lead to one of these. */
export function checkOwn(
  certificatePem: string,
  {
    key,
    roots,
    expected,
    nowMs,
  }: {
    readonly key: ProofKey;
    readonly roots: readonly string[];
    readonly expected: string;
    readonly nowMs: number;
  },
): void {
  const [leaf, ...presented] = pemBlocks(certificatePem, "CERTIFICATE").map(parseCertificate);
  if (leaf === undefined) throw failed("its answer holds no certificate");
  const ours = key.verification.keyObject.export({ type: "spki", format: "der" });
  if (!leaf.spki.equals(ours)) throw failed("the certificate is for another key than ours");
  const { uris } = leaf.extensions;
  if (uris.length !== 1 || uris[0] !== expected) {
    throw failed(`the certificate is not for ${expected}`);
  }
  const anchors = roots.flatMap((pem) => pemBlocks(pem, "CERTIFICATE").map(parseCertificate));
  const chain = findChain(leaf, {
    presented,
    trust: { anchors, lists: undefined },
    usage: CLIENT_AUTH,
  });
  if (isChainFault(chain)) throw failed(`the certificate is not good: ${chain.detail}`);
  const standing = checkStanding(chain, undefined, nowMs);
  if (isChainFault(standing)) {
    throw failed(
      `the certificate is not good now: ${standing.detail}; is this machine's clock right?`,
    );
  }
}

/** What to do about a refusal, by its code. `NAME` is the machine's. */
const REMEDIES: Readonly<Record<string, string>> = {
  "token-refused":
    "the join token is not accepted: it was used, is older than ten minutes, was replaced by a newer one, or the machine is disabled. `sallyport workloads show NAME` says which; a new one comes from `sallyport workloads re-enrol NAME`",
  "identity-unknown":
    "no machine NAME is enrolled there: it was removed, or this is another authority. `sallyport workloads enrol NAME` gives a new join token",
  "identity-disabled":
    "NAME is disabled. `sallyport workloads show NAME` says by whom and why, `sallyport workloads enable NAME` lets it in again",
  "identity-superseded":
    "NAME has another key by now: it was enrolled anew, or another machine renewed with a copy of this key. If nobody enrolled it anew, that key is stolen: `sallyport workloads re-enrol --now NAME`",
  "identity-expired":
    "the key of NAME has expired there. `sallyport workloads re-enrol NAME` gives a new join token",
  "certificate-required":
    "the authority did not see our certificate; does something in between end the TLS connection?",
  "certificate-refused":
    "the certificate is not accepted there: it has expired, or is of another authority",
  "proof-invalid":
    "the proof of possession is not accepted; is this the authority that made the token, and the same version of sallyport?",
  "too-many-failures": "too many failed attempts from this address; wait a minute",
  "store-unavailable": "the authority cannot reach its state now; try again",
  "signing-unavailable": "the authority has no root that may sign now; try again",
  contended: "the machine is being changed by others; try again",
};

function refused(
  status: number,
  { code, body }: { readonly code: string | undefined; readonly body: JsonObject },
  { name, nowMs }: AnswerContext,
): EnrolmentRefused {
  if (code === "clock-off" && typeof body["timeMs"] === "number") {
    const seconds = Math.round((nowMs - body["timeMs"]) / 1000);
    const by = `${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"}`;
    return new EnrolmentRefused(
      code,
      `this machine's clock is ${by} the authority's; set one of them right`,
    );
  }
  const remedy = code === undefined ? undefined : REMEDIES[code]?.replaceAll("NAME", name);
  return new EnrolmentRefused(
    code,
    remedy ?? `it answered ${status}${code === undefined ? "" : ` (${code})`}`,
  );
}

/** The authority answered, and said no. */
export class EnrolmentRefused extends SallyportError {
  /** Of its problem document. */
  readonly refusal: string | undefined;

  constructor(refusal: string | undefined, message: string) {
    super("enrolment-failed", message);
    this.name = "EnrolmentRefused";
    this.refusal = refusal;
  }
}

function failed(message: string): SallyportError {
  return new SallyportError("enrolment-failed", message);
}
