/** Every finding that there is, in the order of docs/findings.md. */
import { acceptanceStale, acceptanceUnknown, acceptanceWithoutReason } from "./acceptance.ts";
import { actionNobody } from "./action-nobody.ts";
import { anyAuthenticated } from "./any-authenticated.ts";
import type { FindingWords } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import { forbidCanErr } from "./forbid-can-err.ts";
import { insecureOption } from "./insecure-option.ts";
import { operationAmbiguous } from "./operation-ambiguous.ts";
import { openToAnonymous } from "./open-to-anonymous.ts";
import { policyNeverApplies } from "./policy-never-applies.ts";
import { policyShadowed } from "./policy-shadowed.ts";
import { policyUntested } from "./policy-untested.ts";
import { principalUnknown } from "./principal-unknown.ts";
import { roleUnknown } from "./role-unknown.ts";
import { roleUnused } from "./role-unused.ts";
import { serviceWithoutPolicy } from "./service-without-policy.ts";
import { templateUnlinked } from "./template-unlinked.ts";

/** Those that are looked for. */
export const FINDING_RULES: readonly FindingRule[] = [
  policyNeverApplies,
  policyShadowed,
  policyUntested,
  templateUnlinked,
  forbidCanErr,
  anyAuthenticated,
  openToAnonymous,
  serviceWithoutPolicy,
  actionNobody,
  operationAmbiguous,
  roleUnused,
  roleUnknown,
  principalUnknown,
  insecureOption,
];

/** And those about acceptances. */
export const FINDING_CATALOGUE: readonly FindingWords[] = [
  ...FINDING_RULES,
  acceptanceWithoutReason,
  acceptanceUnknown,
  acceptanceStale,
];
