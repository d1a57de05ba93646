/** What every credential has to stand on every request, and how one that is good or bad is recorded. */
import { hash } from "node:crypto";
import { checkFacts } from "../identity/checks.ts";
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import type { RecordedCredential } from "../model/records.ts";
import { unreadCaller } from "../wire/forwarded-client.ts";
import type { Deciding } from "./decision.ts";
import { refusedByRevocation } from "./revocation.ts";
import type { GateDeps } from "./step.ts";

/** Facts are cached, outcomes never: this runs on every request. Proofs of possession come after it. */
export function accept(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): Reason | undefined {
  const audience = deciding.route?.audience ?? facts.acceptedAudience;
  const unfit = checkFacts(facts, deciding.timeMs, audience);
  if (unfit === "wrong-audience") deciding.detail = `its aud is none of ${audience.join(", ")}`;
  const refused = unfit ?? forOthers(facts, deciding) ?? refusedByRevocation(deciding, facts, deps);
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

/** On record, and nothing else: nobody has looked at it. */
export function ignore(deciding: Deciding, kind: string, text: string): void {
  const ignored = { kind, hash: hash("sha256", text, "base64url"), outcome: "ignored" } as const;
  deciding.credentials = [...deciding.credentials, ignored];
}

/** Those of the same request that were ignored, and those that were good. */
function others({ good, credentials }: Deciding): readonly RecordedCredential[] {
  if (good === undefined) return credentials;
  return [...credentials, ...good.map((facts) => credentialOf(facts, "used"))];
}

/** How a credential came, by the type of its authenticator; all others are tokens. */
const KINDS: Readonly<Record<string, string>> = {
  mtls: "certificate",
  oidc: "session",
  "api-key": "api-key",
};

export function clientOf({ request, input }: Deciding): string {
  return request?.clientAddress ?? unreadCaller(input);
}
