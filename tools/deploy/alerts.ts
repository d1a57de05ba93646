/** All alerts, in the order of docs/operations.md. */
import type { AlertGroup } from "./alert.ts";
import { AUDIT } from "./alerts-audit.ts";
import { IDENTITY } from "./alerts-identity.ts";
import { KEYS } from "./alerts-keys.ts";
import { PROCESS } from "./alerts-process.ts";
import { SEEING } from "./alerts-seeing.ts";
import { SERVICES } from "./alerts-services.ts";
import { TRAFFIC } from "./alerts-traffic.ts";

export const ALERT_GROUPS: readonly AlertGroup[] = [
  TRAFFIC,
  SERVICES,
  AUDIT,
  SEEING,
  IDENTITY,
  KEYS,
  PROCESS,
];
