/** What every credential has to stand on every request, and how one that is good or bad is recorded. */
import { hash } from "node:crypto";
import { checkFacts } from "../identity/checks.ts";
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import type { RecordedCredential } from "../model/records.ts";
import type { Deciding } from "./decision.ts";
import { refusedByRevocation } from "./revocation.ts";
import type { GateDeps } from "./step.ts";

/** Facts are cached, outcomes never: this runs on every request. Proofs of possession come after it. */
export function accept(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): Reason | undefined {
  const refused =
    checkFacts(facts, deciding.timeMs, deciding.route?.audience) ??
    forOthers(facts, deciding) ??
    refusedByRevocation(deciding, facts, deps);
  if (refused === undefined && facts.used !== undefined) facts.used(deciding.timeMs);
  return refused;
}

/** A key that was made for some services only. A route without a service is none of them. */
function forOthers({ services }: CredentialFacts, deciding: Deciding): Reason | undefined {
  if (services === undefined || services.includes(deciding.route?.service ?? "")) return undefined;
  deciding.detail = "it was made for other services";
  return "wrong-audience";
}

/** Records a credential that is no good, and counts what it cost. */
export function refuse(
  deciding: Deciding,
  failure: CredentialFailure,
  { deps, kind }: { readonly deps: GateDeps; readonly kind: string },
): Reason {
  if (failure.costly) deps.budget.charge(clientOf(deciding));
  deciding.detail = failure.detail;
  const shown = failure.credentialHash ?? hash("sha256", deciding.token ?? "", "base64url");
  deciding.credentials = [...others(deciding), { kind, hash: shown, outcome: "refused" }];
  return failure.failure;
}

/** Records one that was good once and is not now. */
export function refuseFacts(deciding: Deciding, facts: CredentialFacts, reason: Reason): Reason {
  deciding.credentials = [...others(deciding), credentialOf(facts, "refused")];
  return reason;
}

export function credentialOf(
  facts: CredentialFacts,
  outcome: "used" | "refused",
): RecordedCredential {
  return { kind: KINDS[facts.kind] ?? "bearer", hash: facts.credentialHash, outcome };
}

/** Those of the same request that were good. */
function others({ good }: Deciding): readonly RecordedCredential[] {
  return good === undefined ? NONE : good.map((facts) => credentialOf(facts, "used"));
}

/** How a credential came, by the type of its authenticator; all others are tokens. */
const KINDS: Readonly<Record<string, string>> = {
  mtls: "certificate",
  oidc: "session",
  "api-key": "api-key",
};

const NONE: readonly RecordedCredential[] = Object.freeze([]);

export function clientOf({ request, input }: Deciding): string {
  return request?.clientAddress ?? input.peer.address;
}
