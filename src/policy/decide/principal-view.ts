/**
 * A principal as policies see it. Principals are frozen and shared by all requests that carry the same
 * credential, so this is made once for each.
 */
import { principalId, type Principal } from "../../model/principal.ts";
import { PRINCIPAL_TYPES, sallyportUid } from "../cedar-names.ts";
import type { Entity } from "../cedar/environment.ts";
import type { IndexedPrincipal } from "../cedar/evaluation.ts";
import { EMPTY_RECORD, type EntityUid } from "../cedar/values.ts";
import { attributesRecord } from "./attributes-record.ts";
import type { FileEntities } from "./file-entities.ts";

export interface PrincipalView {
  readonly uid: EntityUid;
  readonly entity: Entity;
  readonly indexed: IndexedPrincipal;
}

export interface ViewOptions {
  /** Tells which roles and groups any policy's scope names: most directories send many more. */
  readonly isAsked: (key: string) => boolean;
  readonly files: FileEntities;
}

/** It is in what its credential says and what files say: of itself, and of each of its roles and groups. */
export function createPrincipalView(
  principal: Principal,
  { isAsked, files }: ViewOptions,
): PrincipalView {
  const uid = sallyportUid(PRINCIPAL_TYPES[principal.kind], principalId(principal));
  const ancestors = new Set([
    ...principal.roles.map((role) => sallyportUid("Role", role).key),
    ...principal.groups.map((group) => sallyportUid("Group", group).key),
  ]);
  const own = files.get(uid.key);
  if (files.size > 0) {
    // What is added meanwhile is looked at too, and adds nothing: what files say is closed.
    for (const key of ancestors) addAll(ancestors, files.get(key)?.within);
    addAll(ancestors, own?.within);
  }
  const attributes =
    own?.attributes === undefined
      ? principal.attributes
      : { ...own.attributes, ...principal.attributes };
  return {
    uid,
    entity: { attributes: attributesRecord(attributes), tags: EMPTY_RECORD, ancestors },
    indexed: { key: uid.key, type: uid.type, within: [uid.key, ...ancestors].filter(isAsked) },
  };
}

function addAll(to: Set<string>, keys: readonly string[] = []): void {
  for (const key of keys) to.add(key);
}
