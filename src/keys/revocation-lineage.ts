/**
 * The names under which a key falls beside its own: those of what it was derived from, and of its principal
 * as the authenticator knew it that it comes from. Whoever is revoked there is revoked here.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { RevocationTarget } from "../model/revocation.ts";
import { DIGEST_WORDS, digestTarget } from "./revocation-digest.ts";

export interface Lineage {
  /** Digests. */
  readonly ids: readonly Uint32Array[];
  readonly subjects: readonly Uint32Array[];
  /** Names, each once. */
  readonly authenticators: readonly string[];
}

/** Undefined, and at no cost, for what was derived from nothing. */
export function lineageOf({
  authenticator,
  principal,
  ancestors,
}: CredentialFacts): Lineage | undefined {
  if (ancestors === undefined && principal.authenticator === authenticator) return undefined;
  const above = ancestors ?? [];
  const callers = [principal, ...above.flatMap((one) => one.principal ?? [])];
  return {
    ids: above.flatMap(({ id, authenticator: owner }) =>
      id === undefined ? [] : [digestOf({ kind: "id", authenticator: owner, id })],
    ),
    subjects: callers.map(({ authenticator: owner, subject }) =>
      digestOf({ kind: "subject", authenticator: owner, subject }),
    ),
    authenticators: [...new Set([...callers, ...above].map((one) => one.authenticator))],
  };
}

function digestOf(target: RevocationTarget): Uint32Array {
  const words = new Uint32Array(DIGEST_WORDS);
  digestTarget(target, words, 0);
  return words;
}
