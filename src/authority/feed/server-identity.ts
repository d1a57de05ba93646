/**
 * What the authority's listener shows: a certificate of its own CA for the names under which it is
 * reached, in memory alone, issued anew by itself long before it ends and whenever the roots change.
 */
import { generateKeyPairSync } from "node:crypto";
import { isIP } from "node:net";
import type { Clock, Log, Timers } from "../../model/ports.ts";
import type { FeedCertifier } from "./feed-signer.ts";

/** A certificate with its key, and whose certificates callers may show. PEM. */
export interface ServerIdentity {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly roots: readonly string[];
  changed(listener: () => void): () => void;
}

export interface IssuedIdentityDeps {
  readonly ca: {
    issue: (order: Parameters<FeedCertifier["issue"]>[0]) => {
      readonly pem: string;
      readonly notAfterMs: number;
    };
    roots(): readonly string[];
    changed(listener: () => void): () => void;
  };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

const LIMITS = {
  /** A stolen one is good for so long; nobody asks whether it is revoked. */
  lifetimeMs: 24 * 3600_000,
  /** Issued anew after so long: what is left is for a CA that has no root for a while. */
  renewMs: 8 * 3600_000,
  /** The clock is looked at so often: timers stand still while a machine sleeps. */
  lookMs: 60_000,
} as const;

/** Throws what `issue` throws the first time; later it says so and keeps what it has. */
export function createIssuedIdentity(
  names: readonly string[],
  deps: IssuedIdentityDeps,
): ServerIdentity & { close(): void } {
  return new IssuedIdentity(names, deps);
}

class IssuedIdentity implements ServerIdentity {
  certificatePem = "";
  keyPem = "";
  roots: readonly string[] = [];
  readonly #names: readonly string[];
  readonly #deps: IssuedIdentityDeps;
  readonly #listeners = new Set<() => void>();
  readonly #end: () => void;
  #renewAtMs = 0;
  #callOff: () => void = () => undefined;

  constructor(names: readonly string[], deps: IssuedIdentityDeps) {
    this.#names = names;
    this.#deps = deps;
    this.#issue();
    this.#end = deps.ca.changed(() => this.#renew());
    this.#plan();
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#end();
    this.#callOff();
    this.#listeners.clear();
  }

  #plan(): void {
    this.#callOff = this.#deps.timers.after(LIMITS.lookMs, () => {
      this.#plan();
      if (this.#deps.clock.now() >= this.#renewAtMs) this.#renew();
    });
  }

  #renew(): void {
    try {
      this.#issue();
    } catch (error) {
      this.#deps.log.error(
        "the authority's server certificate cannot be renewed; the old one stays",
        {
          error: error instanceof Error ? error : new Error(String(error)),
        },
      );
      return;
    }
    for (const listener of this.#listeners) listener();
  }

  #issue(): void {
    const { ca, clock } = this.#deps;
    // P-256: what every TLS client takes (RFC 8446 section 9.1).
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { pem, notAfterMs } = ca.issue({
      publicKey,
      commonName: "sallyport authority",
      uris: [],
      dnsNames: this.#names.filter((name) => isIP(name) === 0),
      ipAddresses: this.#names.filter((name) => isIP(name) !== 0),
      usages: ["server"],
      lifetimeMs: LIMITS.lifetimeMs,
    });
    const nowMs = clock.now();
    // A root near its end gives less.
    this.#renewAtMs = nowMs + Math.min(LIMITS.renewMs, (notAfterMs - nowMs) / 3);
    this.keyPem = privateKey.export({ type: "pkcs8", format: "pem" });
    this.certificatePem = pem;
    this.roots = ca.roots();
  }
}
