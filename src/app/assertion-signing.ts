/**
 * Who signs assertions in this process: the authority that it keeps, by its own key; or a key that was
 * made on this machine, in memory, and whose public half is published by the authority that is
 * followed, or by this process itself where there is none. Workers sign with the keys of their
 * supervisor: a machine is one replica, however many processes serve.
 */
import type { Config } from "../config/schema.ts";
import { readSigningKey, type SigningKey } from "../crypto/signing-key.ts";
import { createLocalKeys, type LocalKey, type LocalKeys } from "../keys/local-keys.ts";
import { currentOf } from "../keys/schedule.ts";
import type { AssertionSigner } from "../model/assertion.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import type { PublishedKey, Signer } from "../model/signing.ts";
import type { PublishedRing } from "./authority/machine-ring.ts";
import type { Instruments } from "./instruments.ts";

export interface AssertionSigning extends AssertionSigner {
  /** Public halves that are known here already, beside those that the authority tells of. */
  published(): readonly PublishedKey[];
  /** What workers are to sign with; undefined where the key does not leave this process. */
  readonly local: LocalKeys | undefined;
  /** Tells it which configuration is to be served: a key that nobody needs is published by nobody. */
  serves(config: Config): void;
  close(): void;
}

/** Of a process without an authority; undefined where it is to sign nothing. */
export function signingAlone(
  { assertions, authority }: Config,
  instruments: Instruments,
): AssertionSigning | undefined {
  if (assertions === undefined || authority !== undefined) return undefined;
  const { issuer, algorithm } = assertions;
  const local = createLocalKeys({ ...instruments, algorithm: () => algorithm });
  return signingWith(issuer, { local, wanted() {}, close: () => local.close() });
}

export function signingWith(issuer: string, ring: PublishedRing): AssertionSigning {
  const { local } = ring;
  return {
    issuer,
    local,
    current: () => local.current(),
    published: () => local.published(),
    serves(config) {
      const used = usesAssertions(config);
      // Now and not with the first request: services fetch the set when they start.
      if (used) local.current();
      ring.wanted(used);
    },
    close: () => ring.close(),
  };
}

/** By the authority's own key, which is asked for once a second and whenever it may be another. */
export function signingByAuthority(
  issuer: string,
  keys: {
    signer(use: "assertions"): Signer;
    changed(listener: () => void): () => void;
  },
  clock: Clock,
): AssertionSigning {
  let current: Signer | undefined;
  let untilMs = 0;
  const end = keys.changed(() => {
    current = undefined;
  });
  return {
    issuer,
    local: undefined,
    current() {
      const nowMs = clock.monotonic();
      if (current === undefined || nowMs >= untilMs) {
        current = keys.signer("assertions");
        untilMs = nowMs + ASK_MS;
      }
      return current;
    },
    published: () => [],
    serves() {},
    close: end,
  };
}

/** Milliseconds in which a key is not asked for again: asking sorts all keys, which a request should not pay. */
const ASK_MS = 1000;

/** Keys on the way from a supervisor to its worker, over a socket that only their user can open. */
export interface HandedKey {
  /** PKCS #8 in base64. */
  readonly secret: string;
  readonly published: PublishedKey;
}

export function handOver(keys: readonly LocalKey[]): readonly HandedKey[] {
  return keys.map(({ key, published }) => ({
    secret: key.privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
    published,
  }));
}

interface Held {
  readonly key: SigningKey;
  readonly published: PublishedKey;
  readonly signs: true;
  readonly activeMs: number;
  readonly retiredMs: number;
}

/** What a worker signs with. Knows nothing until its supervisor has told it. */
export class HandedSigning implements AssertionSigning {
  readonly local = undefined;
  readonly #clock: Clock;
  issuer: string;
  #held: readonly Held[] = [];
  /** Of all that were ever handed over: what they signed lives on when the supervisor is another one. */
  #known: readonly PublishedKey[] = [];
  #current: Signer | undefined;
  #untilMs = 0;

  constructor(issuer: string, clock: Clock) {
    this.issuer = issuer;
    this.#clock = clock;
  }

  take(keys: readonly HandedKey[]): void {
    this.#held = keys.map(({ secret, published }) => ({
      key: readSigningKey(Buffer.from(secret, "base64"), published.algorithm),
      published,
      signs: true,
      activeMs: published.activeMs,
      retiredMs: published.retiredMs,
    }));
    const kids = new Set(keys.map(({ published }) => published.kid));
    this.#known = [
      ...this.published().filter(({ kid }) => !kids.has(kid)),
      ...keys.map(({ published }) => published),
    ];
    this.#current = undefined;
  }

  current(): Signer {
    const nowMs = this.#clock.now();
    if (this.#current === undefined || nowMs >= this.#untilMs) {
      this.#current = currentOf(this.#held, nowMs)?.key;
      this.#untilMs = nowMs + ASK_MS;
    }
    if (this.#current !== undefined) return this.#current;
    throw new SallyportError("signing-unavailable", "the supervisor has handed over no key");
  }

  published(): readonly PublishedKey[] {
    const nowMs = this.#clock.now();
    return this.#known.filter(({ removedMs }) => nowMs < removedMs);
  }

  /** Its supervisor knows that as well. */
  serves(): void {}

  close(): void {}
}

/** Whether anything in it has to be signed. */
export function usesAssertions({ services, routes }: Config): boolean {
  return (
    Object.values(services).some(({ assertion }) => assertion !== undefined) ||
    routes.some(({ assertion }) => typeof assertion === "object")
  );
}

/** Where there is nobody who could sign: every request that needs it is refused. */
export const NOBODY_SIGNS: AssertionSigner = Object.freeze({
  issuer: "",
  current(): Signer {
    throw new SallyportError("signing-unavailable", "nobody signs assertions in this process");
  },
});

/** Each once: what was told by the authority, and what is known here. */
export function allKeys(
  told: readonly PublishedKey[],
  own: readonly PublishedKey[],
): readonly PublishedKey[] {
  if (own.length === 0) return told;
  const kids = new Set(told.map(({ kid }) => kid));
  return [...told, ...own.filter(({ kid }) => !kids.has(kid))];
}
