/** All dashboards, in the order in which they are looked at. */
import type { Dashboard } from "./dashboard.ts";
import { AUDIT_AND_SEEING } from "./dashboard-audit.ts";
import { GATE } from "./dashboard-gate.ts";
import { IDENTITY } from "./dashboard-identity.ts";
import { KEYS_AND_STORE } from "./dashboard-keys.ts";
import { OVERVIEW } from "./dashboard-overview.ts";
import { SERVICES_BEHIND } from "./dashboard-services.ts";

export const DASHBOARDS: readonly Dashboard[] = [
  OVERVIEW,
  GATE,
  SERVICES_BEHIND,
  IDENTITY,
  KEYS_AND_STORE,
  AUDIT_AND_SEEING,
];
