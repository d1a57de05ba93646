/** Everything that is asked of a configuration beyond its schemas, and what else is worth saying. */
import { checkAdmin, checkAdminWarnings } from "./check-admin.ts";
import { checkAuditPlaces, checkAuditWarnings } from "./check-audit.ts";
import { checkAddresses } from "./check-addresses.ts";
import { checkAssertions } from "./check-assertions.ts";
import { checkApiKeys } from "./check-api-keys.ts";
import { checkAttributes } from "./check-attributes.ts";
import { checkAuthenticators } from "./check-authenticators.ts";
import { checkClients, checkClientsWarnings } from "./check-clients.ts";
import { checkAuthority, checkAuthorityWarnings } from "./check-authority.ts";
import {
  checkAuthenticatorFiles,
  checkBundleWarnings,
  checkCredentialFiles,
  checkSecretFiles,
} from "./check-files.ts";
import { checkDeclaredClients, checkDeclaredClientsWarnings } from "./check-declared-clients.ts";
import { checkConfirmationWarnings } from "./check-confirmation.ts";
import { checkEgress, checkEgressWarnings } from "./check-egress.ts";
import { checkIdentity, checkIdentityWarnings } from "./check-identity.ts";
import { checkKeys } from "./check-keys.ts";
import { checkLimits } from "./check-limits.ts";
import { checkNames } from "./check-names.ts";
import { checkPoliciesWarnings } from "./check-policies.ts";
import { checkPublishedSecrets } from "./check-published-secrets.ts";
import { checkReferences } from "./check-references.ts";
import { checkRoutes, checkSomeRoute } from "./check-routes.ts";
import { checkSigns, checkSignsWarnings } from "./check-signs.ts";
import { checkServe, checkServeWarnings } from "./check-serve.ts";
import { checkServices } from "./check-services.ts";
import { checkSessionKeys } from "./check-session-keys.ts";
import { checkSessions, checkSessionsWarnings } from "./check-sessions.ts";
import { checkShared, checkSharedWarnings } from "./check-shared.ts";
import { checkSinks, checkSinksWarnings } from "./check-sinks.ts";
import { checkStore, checkStoreWarnings } from "./check-store.ts";
import { checkTemplates } from "./check-templates.ts";
import { checkTlsFiles, checkTlsWarnings } from "./check-tls.ts";
import { checkTokens, checkTokensWarnings } from "./check-tokens.ts";
import { checkUsage, checkUsageWarnings } from "./check-usage.ts";
import { checkTracing, checkTracingWarnings } from "./check-tracing.ts";
import { checkWorkloadApi, checkWorkloadApiWarnings } from "./check-workload-api.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export interface Subject {
  readonly draft: Draft;
  readonly expansion: Expansion;
  /** What paths are relative to. */
  readonly folder: string;
  /** Only a follower's own file was read, so that names may refer to what comes over the feed. */
  readonly ownOnly: boolean;
  /** It is only a sidecar: it has no routes. */
  readonly sidecar: boolean;
  /** Services and routes came over the feed. */
  readonly composed: boolean;
  /** Secret files of services are on another machine. */
  readonly secretsElsewhere: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What keeps it from loading. */
export async function findProblems(subject: Subject): Promise<PathProblem[]> {
  const { draft, expansion, folder, ownOnly, sidecar, composed, secretsElsewhere } = subject;
  return [
    ...checkNames(draft),
    ...(ownOnly ? [] : checkReferences(draft)),
    ...checkAddresses(draft),
    ...checkAuthority(draft, expansion.value),
    ...(await checkStore(subject)),
    ...checkDeclaredClients(draft, folder),
    ...checkRoutes(draft),
    ...(composed || sidecar ? [] : checkSomeRoute(expansion.value)),
    ...checkEgress(draft, folder),
    ...checkServe(draft),
    ...checkTokens(draft),
    ...checkServices(draft),
    ...checkLimits(draft),
    ...checkAuditPlaces(draft),
    ...checkUsage(draft),
    ...checkAuthenticators(draft),
    ...(ownOnly ? [] : checkSessions(draft)),
    ...checkApiKeys(draft),
    ...(ownOnly ? [] : checkKeys(draft)),
    ...(ownOnly ? [] : checkClients(draft)),
    ...checkShared(draft, folder),
    ...checkSinks(draft, folder),
    ...checkSigns(draft),
    ...checkAdmin(draft),
    ...checkAttributes(draft),
    ...checkAssertions(draft),
    ...checkTracing(draft, folder),
    ...checkTemplates(draft),
    ...checkAuthenticatorFiles(draft, folder, { publicOnly: secretsElsewhere }),
    ...(secretsElsewhere ? [] : checkCredentialFiles(draft, folder)),
    ...(secretsElsewhere ? [] : await checkSessionKeys(subject)),
    ...checkTlsFiles(draft, folder, { publicOnly: secretsElsewhere }),
    ...checkWorkloadApi(draft, expansion.value, { publicOnly: secretsElsewhere }),
    ...(ownOnly ? await checkIdentity(draft, folder) : []),
  ];
}

/** Findings that do not. */
export function findWarnings(subject: Subject): PathProblem[] {
  const { draft, expansion, folder, secretsElsewhere } = subject;
  return [
    ...checkSecretFiles(draft, expansion, folder),
    ...checkTlsWarnings(draft, folder, { publicOnly: secretsElsewhere }),
    ...checkAdminWarnings(draft),
    ...checkAuditWarnings(draft),
    ...checkSignsWarnings(draft),
    ...checkBundleWarnings(draft, folder),
    ...checkClientsWarnings(draft),
    ...checkDeclaredClientsWarnings(draft, expansion),
    ...checkConfirmationWarnings(draft),
    ...checkServeWarnings(draft),
    ...checkTokensWarnings(draft),
    ...checkAuthorityWarnings(draft),
    ...checkPoliciesWarnings(draft),
    ...checkPublishedSecrets(draft, expansion),
    ...checkIdentityWarnings(draft, folder),
    ...checkSessionsWarnings(draft),
    ...checkStoreWarnings(subject),
    ...checkSharedWarnings(draft),
    ...checkTracingWarnings(draft),
    ...checkSinksWarnings(draft),
    ...checkWorkloadApiWarnings(draft, subject),
    ...checkEgressWarnings(draft, folder),
    ...checkUsageWarnings(draft),
  ];
}
