/**
 * Callers that are known before any comes, as far as policies tell them apart: for each authenticator
 * and kind anybody with no role, one with each role and group that is known, those whom policies or data
 * files name, and who presents no credential. Of attributes only names and types are known.
 */
import type { AttributeType, Principal } from "../../model/principal.ts";
import { ANONYMOUS } from "../../model/principal.ts";
import { PRINCIPAL_TYPES, sallyportUid } from "../cedar-names.ts";
import { EntityUid } from "../cedar/values.ts";
import type { HiddenParts } from "../explain/hidden-environment.ts";
import type { Unknown } from "../explain/unknown.ts";
import type { ValueType } from "../explain/value-types.ts";
import { type FindingSubject, halves, type Source, type Target } from "../findings/subject.ts";

export interface Caller {
  /** `User of corp`, `User of corp in Role::"Reader"`, `User::"corp/alice"`, `Anonymous`. */
  readonly who: string;
  readonly principal: Principal;
  readonly hidden: Pick<HiddenParts, "attributes" | "anybody">;
}

/** Those whom the target can have. */
export function knownCallers(subject: FindingSubject, target: Target): readonly Caller[] {
  const containers = knownContainers(subject);
  return target.sources.flatMap((source) => [
    callerOf(subject, source, {}),
    ...containers
      .filter((uid) => subject.admits({ kind: "in", uids: [uid] }, source))
      .map((uid) => callerOf(subject, source, { within: uid })),
    ...namedSubjects(subject, source).map((named) => callerOf(subject, source, { named })),
  ]);
}

export interface CallerOptions {
  /** A role or a group that the caller has. */
  readonly within?: EntityUid;
  /** The subject, where it is known. */
  readonly named?: string;
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
}

export function callerOf(
  subject: FindingSubject,
  { authenticator, kind }: Source,
  { within, named, roles = [], groups = [] }: CallerOptions,
): Caller {
  if (authenticator === undefined) return { who: "Anonymous", principal: ANONYMOUS, hidden: {} };
  const type = PRINCIPAL_TYPES[kind];
  const base =
    named === undefined ? `${type} of ${authenticator}` : `${type}::"${authenticator}/${named}"`;
  const isRole = within?.type === ROLE;
  const inside = [
    ...(within === undefined ? [] : [within]),
    ...roles.map((role) => sallyportUid("Role", role)),
    ...groups.map((group) => sallyportUid("Group", group)),
  ].map(({ type: kindOf, id }) => `${kindOf.slice(kindOf.lastIndexOf(":") + 1)}::"${id}"`);
  return {
    who: inside.length === 0 ? base : `${base} in ${inside.join(", ")}`,
    principal: {
      kind,
      authenticator,
      subject: named ?? ANYBODY,
      roles: isRole ? [within.id, ...roles] : roles,
      groups: within !== undefined && !isRole ? [within.id, ...groups] : groups,
      attributes: {},
    },
    hidden: {
      attributes: unknownAttributes(subject, { authenticator, kind }),
      ...(named === undefined ? { anybody: { name: "principal", open: false } } : {}),
    },
  };
}

const ROLE = sallyportUid("Role", "").type;
const GROUP = sallyportUid("Group", "").type;
/** Stands for a subject that is not known; a policy that names one depends on it. */
const ANYBODY = "?";

const TYPES: Readonly<Record<AttributeType, ValueType>> = {
  string: "string",
  bool: "boolean",
  long: "long",
  strings: "set",
};

/** What a credential gives is always there; what data files give may be. */
function unknownAttributes(
  { vocabulary, fileAttributes }: FindingSubject,
  { authenticator, kind }: Source,
): ReadonlyMap<string, Unknown> {
  const words = vocabulary.authenticators.find(({ name }) => name === authenticator);
  const declared =
    kind === "device" ? { ...words?.device, ...words?.attributes } : words?.attributes;
  return new Map<string, Unknown>([
    ...[...fileAttributes].map(
      (name) => [name, { name: `principal.${name}`, maybeAbsent: true }] as const,
    ),
    ...Object.entries(declared ?? {}).map(
      ([name, type]) => [name, { name: `principal.${name}`, type: TYPES[type] }] as const,
    ),
  ]);
}

function knownContainers({ policies, vocabulary, entities }: FindingSubject): readonly EntityUid[] {
  const found = new Map<string, EntityUid>();
  const add = (uid: EntityUid): void => {
    if (uid.type === ROLE || uid.type === GROUP) found.set(uid.key, uid);
  };
  for (const { named } of policies) for (const uid of named) add(uid);
  for (const { bareRoles } of vocabulary.authenticators) {
    for (const role of bareRoles) add(sallyportUid("Role", role));
  }
  for (const [key, within] of entities) for (const one of [key, ...within]) add(uidOfKey(one));
  return [...found.values()];
}

function namedSubjects(
  { policies, entities }: FindingSubject,
  { authenticator, kind }: Source,
): readonly string[] {
  const { type } = sallyportUid(PRINCIPAL_TYPES[kind], "");
  const uids = [...policies.flatMap(({ named }) => named), ...[...entities.keys()].map(uidOfKey)];
  const own = uids.filter((uid) => uid.type === type && halves(uid.id)[0] === authenticator);
  return [...new Set(own.map(({ id }) => halves(id)[1]))];
}

/** `EntityUid.key` back to its parts. */
function uidOfKey(key: string): EntityUid {
  const at = key.indexOf('::"');
  return new EntityUid(key.slice(0, at), key.slice(at + '::"'.length));
}
