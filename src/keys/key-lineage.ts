/**
 * Where a key comes from: what it was derived from, so that revoking any of it revokes the key, and who
 * acts for whom (RFC 8693 section 4.1).
 *
 * Refuses chains beyond their bounds rather than to shorten them: an ancestor that is left out could not
 * be revoked.
 */
import type { Ancestor } from "../model/access-detail.ts";
import type { Actor, CredentialFacts } from "../model/facts.ts";
import { KEY_KIND } from "../model/issued-keys.ts";
import type { JsonObject } from "../model/json.ts";
import { type Principal, principalId } from "../model/principal.ts";

export const LINEAGE_LIMITS = {
  /** Each is asked about on every request that carries the key. */
  ancestors: 16,
  /** Characters of all of them as JSON. */
  ancestorChars: 4096,
  /** The one that acts now, and those behind it; as many as are read from a token. */
  actors: 8,
} as const;

export interface Parents {
  /** Of whom the key speaks. */
  readonly subject: CredentialFacts;
  /** Of those who will act for the subject with it, outermost first; empty: the subject itself. */
  readonly actors: readonly CredentialFacts[];
}

/** Nearest first, each once; undefined: too many, or too long. */
export function ancestorsOf({ subject, actors }: Parents): readonly Ancestor[] | undefined {
  const found = new Map<string, Ancestor>();
  const add = (ancestor: Ancestor): void => {
    const key = JSON.stringify([
      ancestor.authenticator,
      ancestor.id,
      ancestor.principal?.authenticator,
      ancestor.principal?.subject,
    ]);
    if (!found.has(key)) found.set(key, Object.freeze(ancestor));
  };
  add(ancestorOf(subject, undefined));
  for (const actor of actors) add(ancestorOf(actor, actor.principal));
  for (const one of subject.ancestors ?? []) add(one);
  // Those of an actor that name nobody are that actor's own.
  for (const actor of actors) {
    for (const one of actor.ancestors ?? []) {
      add({ ...one, principal: one.principal ?? nameOf(actor.principal) });
    }
  }
  const ancestors = [...found.values()];
  const fits =
    ancestors.length <= LINEAGE_LIMITS.ancestors &&
    JSON.stringify(ancestors).length <= LINEAGE_LIMITS.ancestorChars;
  return fits ? ancestors : undefined;
}

function ancestorOf(facts: CredentialFacts, principal: Principal | undefined): Ancestor {
  return {
    authenticator: facts.authenticator,
    ...(facts.tokenId === undefined ? {} : { id: facts.tokenId }),
    ...(principal === undefined ? {} : { principal: nameOf(principal) }),
  };
}

function nameOf(principal: Principal | undefined): Ancestor["principal"] {
  if (principal === undefined) return undefined;
  return { authenticator: principal.authenticator, subject: principal.subject };
}

/**
 * `act`: who acts now outermost, then those who acted before. `none`: nobody but the subject acts;
 * undefined: too many.
 */
export function actorsOf({ subject, actors }: Parents): JsonObject | "none" | undefined {
  const before = subject.actor === undefined ? [] : namesOf(subject.actor, subject.kind);
  // Who acts already is not put before itself.
  const further = actors.filter(({ principal }) => !isNamed(principal, subject.actor));
  const names = [...further.map(({ principal }) => principalId(principal)), ...before];
  if (names.length === 0) return "none";
  if (names.length > LINEAGE_LIMITS.actors) return undefined;
  let act: JsonObject | undefined;
  for (const sub of names.toReversed()) act = act === undefined ? { sub } : { sub, act };
  return act;
}

function isNamed({ authenticator, subject }: Principal, actor: Actor | undefined): boolean {
  return actor?.authenticator === authenticator && actor.subject === subject;
}

/** Ids of principals; in keys of ours those behind are written as such already. */
function namesOf(actor: Actor, kind: string): readonly string[] {
  const { authenticator, subject, behind } = actor;
  const full = (name: string): string => (kind === KEY_KIND ? name : `${authenticator}/${name}`);
  return [`${authenticator}/${subject}`, ...behind.map(full)];
}
