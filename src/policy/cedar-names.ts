/** The names of our Cedar vocabulary (design: namespace `Sallyport`). */
import { METHODS, READ_METHODS } from "../model/vocabulary.ts";
import type { PrincipalKind } from "../model/principal.ts";
import { EntityUid } from "./values.ts";

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

/** Every action that can be asked about. All have the same principals, resources and context. */
export const ACTIONS: readonly ActionName[] = METHODS.map((id) => ({
  id,
  group: (READ_METHODS as readonly string[]).includes(id) ? READ : WRITE,
}));

/** The entities whose tags are the request's query parameters and header fields. */
export const QUERY = sallyportUid("Query", "request");
export const HEADERS = sallyportUid("Headers", "request");

export function sallyportUid(type: string, id: string): EntityUid {
  return new EntityUid(`${NAMESPACE}::${type}`, id);
}
