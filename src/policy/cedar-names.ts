/** The names of our Cedar vocabulary (design: namespace `Sallyport`). */
import {
  ADMIN,
  ADMIN_OPERATIONS,
  ADMIN_RESOURCE,
  adminAction,
  type AdminAccess,
  adminGroup,
  type AdminOperation,
} from "../model/admin-operations.ts";
import { METHODS, READ_METHODS } from "../model/vocabulary.ts";
import type { PrincipalKind } from "../model/principal.ts";
import { EntityUid } from "./cedar/values.ts";

export const NAMESPACE = "Sallyport";

/** Entity types without the namespace. */
export const PRINCIPAL_TYPES: Readonly<Record<PrincipalKind, string>> = {
  user: "User",
  workload: "Workload",
  device: "Device",
  anonymous: "Anonymous",
};

/** Groups of actions. */
export const READ = "read";
export const WRITE = "write";

/** A concrete action and the group that it is in. */
export interface ActionName {
  readonly id: string;
  readonly group: string;
}

/** Every action on routes. All have the same principals, resources and context. */
export const ACTIONS: readonly ActionName[] = METHODS.map((id) => ({
  id,
  group: (READ_METHODS as readonly string[]).includes(id) ? READ : WRITE,
}));

/** Every action on the admin API. Its groups are in `ADMIN`, and in no group of the actions on routes. */
export const ADMIN_ACTIONS: readonly ActionName[] = Object.entries(ADMIN_OPERATIONS).map(
  ([operation, access]) => ({
    id: adminAction(operation as AdminOperation),
    group: adminGroup(access),
  }),
);

export const ADMIN_GROUPS: readonly string[] = (["read", "write"] satisfies AdminAccess[]).map(
  adminGroup,
);

const ADMIN_IDS: ReadonlySet<string> = new Set([
  ADMIN,
  ...ADMIN_GROUPS,
  ...ADMIN_ACTIONS.map(({ id }) => id),
]);

/** Whether it is an admin action, or a group of them. */
export function isAdminAction(id: string): boolean {
  return ADMIN_IDS.has(id);
}

/** The one resource of admin actions. */
export const ADMIN_API = sallyportUid(ADMIN_RESOURCE.type, ADMIN_RESOURCE.id);

/** The entities whose tags are the request's query parameters and header fields. */
export const QUERY = sallyportUid("Query", "request");
export const HEADERS = sallyportUid("Headers", "request");

export function sallyportUid(type: string, id: string): EntityUid {
  return new EntityUid(`${NAMESPACE}::${type}`, id);
}
