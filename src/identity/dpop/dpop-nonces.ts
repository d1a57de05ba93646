/**
 * Nonces that proofs have to carry (RFC 9449 section 9): random values, each of them good for a time.
 * Whoever shares our memory gives and takes the same ones: workers always, replicas where Redis is
 * configured. Elsewhere they are this process' own, so that a proof which was made for it is worth
 * nothing at any other.
 *
 * A nonce is no secret: every caller of its time is given the same one. What it proves is that the proof
 * was not made before.
 */
import { randomBytes } from "node:crypto";
import type { SharedMemory } from "../../model/shared-memory.ts";

const LIMITS = {
  /** 128 bits: nobody guesses the one to come. */
  bytes: 16,
} as const;

const SPACE = "dpop-nonces";

export interface NonceVerdict {
  readonly good: boolean;
  /** What the caller is to use from now on; undefined where it has that already. */
  readonly next: string | undefined;
}

export interface Nonces {
  /** A promise where the nonces of now are not known yet; rejects with SallyportError where they cannot be. */
  judge(nonce: string | undefined, nowMs: number): NonceVerdict | Promise<NonceVerdict>;
}

export interface NoncesDeps {
  readonly shared: SharedMemory;
  /** Default: the system's randomness. */
  readonly random?: (bytes: number) => Uint8Array;
}

/** `lifetimeMs`: a nonce is good for at least half of it, and at most for all of it. */
export function createNonces(
  { lifetimeMs }: { readonly lifetimeMs: number },
  { shared, random = randomBytes }: NoncesDeps,
): Nonces {
  // A nonce is the newest for one turn, and good for one more.
  const turnMs = lifetimeMs / 2;
  const known = new Map<number, string>();
  const asked = new Map<number, Promise<string>>();

  /** The nonce of one turn. */
  function of(turn: number): string | Promise<string> {
    return known.get(turn) ?? asked.get(turn) ?? ask(turn);
  }

  function ask(turn: number): string | Promise<string> {
    const own = Buffer.from(random(LIMITS.bytes)).toString("base64url");
    // Held for the turn before it, in which replicas whose clock is ahead use it, its own, and the next.
    const agreed = shared.agree(SPACE, `${turnMs}.${turn}`, own, 4 * turnMs);
    if (typeof agreed === "string") {
      known.set(turn, agreed);
      return agreed;
    }
    const settled = agreed
      .then((value) => {
        known.set(turn, value);
        return value;
      })
      .finally(() => asked.delete(turn));
    asked.set(turn, settled);
    return settled;
  }

  function judge(nonce: string | undefined, turn: number): NonceVerdict {
    const newest = known.get(turn);
    if (nonce === undefined) return { good: false, next: newest };
    // Of the turn to come: a replica whose clock is ahead has given it.
    if (nonce === newest || nonce === known.get(turn + 1)) return NEWEST;
    return { good: nonce === known.get(turn - 1), next: newest };
  }

  return {
    judge(nonce, nowMs) {
      const turn = Math.floor(nowMs / turnMs);
      for (const other of known.keys()) if (Math.abs(other - turn) > 1) known.delete(other);
      const [newest, former] = [of(turn), of(turn - 1)];
      // Asked early enough that nobody waits for it; where that fails, it is asked again when it is needed.
      const coming = of(turn + 1);
      if (coming instanceof Promise) coming.catch(() => undefined);
      if (typeof newest === "string" && typeof former === "string") return judge(nonce, turn);
      const both = [Promise.resolve(newest), Promise.resolve(former)];
      return Promise.all(both).then(() => judge(nonce, turn));
    },
  };
}

const NEWEST: NonceVerdict = Object.freeze({ good: true, next: undefined });
