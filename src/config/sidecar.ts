/** A process that is only a sidecar has no routes, and so neither services nor policies. */
import type { PoliciesRead } from "./policy-files.ts";
import { isMapping } from "../wire/document/written.ts";

const OF_ROUTES = ["listeners", "routes", "services", "policies", "authenticators"] as const;

/** Whether the document says nothing but `egress` of what is served. */
export function isSidecarOnly(value: unknown): boolean {
  if (!isMapping(value) || !isMapping(value["egress"])) return false;
  if (isMapping(value["authority"])) return false;
  return OF_ROUTES.every((key) => isEmpty(value[key]));
}

/** What may then be left out, filled in: no policy is read, and no route asks one. */
export function withoutRoutes(written: object): unknown {
  return { ...written, services: {}, routes: [], policies: { enforce: ["(none)"] } };
}

/** What is in force then: nothing asks it, and whatever did would be told no. */
export const SIDECAR_POLICIES: PoliciesRead = {
  files: [
    { name: "(none).cedar", text: '@id("sidecar")\nforbid (principal, action, resource);\n' },
  ],
  tests: [],
  problems: [],
};

function isEmpty(part: unknown): boolean {
  if (part === undefined || part === null) return true;
  return typeof part === "object" && Object.keys(part).length === 0;
}
