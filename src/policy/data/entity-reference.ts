/** An entity as data files write it: `User::"corp/alice"`, with `Sallyport::` in front or without. */
import { suggest } from "../../model/suggest.ts";
import { NAMESPACE } from "../cedar-names.ts";
import { unescapeString } from "../load/policy-text.ts";

/** Types of entities that data files can name. */
export const PRINCIPALS = ["User", "Workload", "Device"] as const;
export const CONTAINERS = ["Role", "Group"] as const;
export const RESOURCES = ["Route", "Service", "Admin"] as const;

export interface EntityReference {
  /** Without the namespace. */
  readonly type: string;
  readonly id: string;
}

export type ReferenceFault = { readonly message: string; readonly remedy: string };

const REFERENCE = /^(?:([A-Za-z]+)::)?([A-Za-z]+)::("(?:[^"\\]|\\[^])*")$/;

/** A reference of one of these types, or what is wrong with it. */
export function parseReference(
  text: string,
  types: readonly string[],
): EntityReference | ReferenceFault {
  const match = REFERENCE.exec(text);
  const [, namespace = NAMESPACE, type = "", quoted = ""] = match ?? [];
  if (match === null || namespace !== NAMESPACE) {
    const remedy = `a type and a quoted id, such as ${types[0] ?? "User"}::"corp/name"`;
    return { message: `${JSON.stringify(text)} names no entity`, remedy };
  }
  return ofType({ type, id: unescapeString(quoted) }, types);
}

/** The same of Cedar's `{ type, id }`. */
export function readUid(
  { type, id }: { readonly type: string; readonly id: string },
  types: readonly string[],
): EntityReference | ReferenceFault {
  const prefix = `${NAMESPACE}::`;
  return ofType({ type: type.startsWith(prefix) ? type.slice(prefix.length) : type, id }, types);
}

export function isFault(found: EntityReference | ReferenceFault): found is ReferenceFault {
  return "message" in found;
}

/** As a person writes it. */
export function showReference({ type, id }: EntityReference): string {
  return `${type}::${JSON.stringify(id)}`;
}

function ofType(
  reference: EntityReference,
  types: readonly string[],
): EntityReference | ReferenceFault {
  if (types.includes(reference.type)) return reference;
  const shown = showReference(reference);
  if (reference.type === "Route" || reference.type === "Service") {
    return {
      message: `${shown} cannot stand here: what routes and services are is said by the configuration`,
      remedy: `one of ${types.join(", ")}`,
    };
  }
  const close = suggest(reference.type, types);
  return {
    message: `${shown} cannot stand here`,
    remedy: close === undefined ? `one of ${types.join(", ")}` : `did you mean "${close}"?`,
  };
}
