/**
 * Which roles and groups a credential of an authenticator can bring about: whoever asks about a principal by
 * hand would otherwise get an answer about somebody who cannot be.
 */
import { suggest } from "../model/suggest.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";

export interface NameFault {
  readonly message: string;
  readonly remedy: string;
}

type Asserting = Pick<VocabularyAuthenticator, "name" | "bareRoles">;

/** Bare where the authenticator's `allow` names it, behind the authenticator's name otherwise, never both. */
export function roleFault(role: string, { name, bareRoles }: Asserting): NameFault | undefined {
  if (bareRoles.includes(role)) return undefined;
  const own = role.startsWith(`${name}/`) ? role.slice(name.length + 1) : undefined;
  if (own !== undefined && !bareRoles.includes(own)) return undefined;
  const message = `"${role}" is no role that ${name} asserts`;
  if (own !== undefined) return { message, remedy: `"${own}": its allow list names it bare` };
  const close = suggest(role, bareRoles);
  const scoped = `"${name}/${role}", or add it to the authenticator's allow list`;
  return { message, remedy: close === undefined ? scoped : `did you mean "${close}"?` };
}

/** Membership of a bare group comes from data files, by the name of the principal. */
export function groupFault(group: string, { name }: Asserting): NameFault | undefined {
  if (group.startsWith(`${name}/`)) return undefined;
  return {
    message: `"${group}" is no group that ${name} asserts`,
    remedy: `"${name}/${group}"; a group of a data file is given by the principal's name`,
  };
}
