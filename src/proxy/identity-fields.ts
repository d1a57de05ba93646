/**
 * The fields that tell a service who is calling: the signed assertion and the plain ones. They are made
 * of the facts of the caller's credential, kept, and made anew ahead of their end, so that a request
 * that carries a known credential pays for a look-up and not for a signature.
 *
 * Refuses to send a request without what was to go with it: a service may take who is not named for
 * nobody, and let him in.
 */
import type { Permit } from "../gate/decision.ts";
import type { AssertionOptions, IdentityField } from "../gate/identity-options.ts";
import type { AssertionSigner } from "../model/assertion.ts";
import { SallyportError } from "../model/errors.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { Fields } from "../model/http.ts";
import type { Clock, Log, Timers } from "../model/ports.ts";
import { type AssertionSpec, assertionSpec, makeAssertion } from "./assertion.ts";
import type { IdentityCache, KeptFields } from "./identity-cache.ts";
import { PLAIN_LIMITS, plainFields } from "./plain-identity.ts";
import type { Unsent } from "./unsent.ts";

const LIMITS = {
  /** Milliseconds before its end up to which an assertion is sent: the request is under way for some of them. */
  leastLeftMs: 15_000,
  /** … and from which on one that is used is made anew. */
  renewLeftMs: 30_000,
} as const;

export interface IdentityFieldsOptions {
  readonly service: string;
  readonly assertion: AssertionOptions | undefined;
  readonly plain: readonly IdentityField[] | undefined;
}

export interface IdentityFieldsDeps {
  readonly signer: AssertionSigner;
  readonly cache: IdentityCache;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

/** What goes with one request, or why it cannot be sent. */
export type IdentityFields = (permit: Permit) => Fields | Unsent;

/** Undefined where a service is told nothing. */
export function createIdentityFields(
  { service, assertion, plain = [] }: IdentityFieldsOptions,
  deps: IdentityFieldsDeps,
): IdentityFields | undefined {
  if (assertion === undefined && plain.length === 0) return undefined;
  const { signer, cache, clock, timers, log } = deps;
  const spec = assertion && assertionSpec(assertion, { issuer: signer.issuer, service });
  const key = keyOf(spec, plain);

  /** Makes and keeps them. Throws as the signer does. */
  function make(facts: CredentialFacts, nowMs: number): Fields | Unsent {
    const fields: string[] = [];
    if (plainFields(facts, plain, fields) > PLAIN_LIMITS.chars) return TOO_LONG;
    let kept: KeptFields = {
      fields,
      signer: undefined,
      fromMs: 0,
      renewMs: Infinity,
      endMs: Infinity,
    };
    if (spec !== undefined) {
      const by = signer.current();
      const made = makeAssertion(facts, spec, { signer: by, nowMs });
      if (made === undefined) return TOO_LONG;
      fields.push("x-sallyport-assertion", made.token);
      kept = { fields, signer: by, fromMs: nowMs, ...times(made.expiresMs, nowMs) };
    }
    cache.put(facts, key, kept);
    return fields;
  }

  function renew(facts: CredentialFacts): void {
    try {
      make(facts, clock.now());
    } catch (error) {
      // What is kept is good for a while; who comes after that is refused.
      log.warn("an assertion could not be made anew", { service, error: asError(error) });
    }
  }

  return ({ facts }) => {
    // Nobody to speak of: `anonymous`.
    if (facts === undefined) return NOTHING;
    const nowMs = clock.now();
    const kept = cache.get(facts, key);
    try {
      if (kept !== undefined && isGood(kept, nowMs, spec === undefined ? undefined : signer)) {
        if (nowMs >= kept.renewMs) {
          kept.renewMs = Infinity;
          timers.after(0, () => renew(facts));
        }
        return kept.fields;
      }
      return make(facts, nowMs);
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "signing-unavailable") throw error;
      return { reason: "assertion-unavailable", detail: error.message };
    }
  };
}

/** A key that was replaced in an emergency vouches for nothing any more, from one request to the next. */
function isGood(kept: KeptFields, nowMs: number, signer: AssertionSigner | undefined): boolean {
  // Before `fromMs`: the clock was set back, and a service would refuse an `iat` ahead of its own.
  if (nowMs >= kept.endMs || nowMs < kept.fromMs) return false;
  return signer === undefined || kept.signer === signer.current();
}

function times(expiresMs: number, nowMs: number): Pick<KeptFields, "renewMs" | "endMs"> {
  const whole = expiresMs - nowMs > LIMITS.renewLeftMs;
  // That of a credential which ends soon is as good as another one would be.
  if (!whole) return { renewMs: Infinity, endMs: expiresMs };
  return { renewMs: expiresMs - LIMITS.renewLeftMs, endMs: expiresMs - LIMITS.leastLeftMs };
}

/** The same for all routes, and all configurations, that say the same to the same service. */
function keyOf(spec: AssertionSpec | undefined, plain: readonly IdentityField[]): string {
  const said = spec && [spec.issuer, spec.audience, [...spec.claims].toSorted(), spec.attributes];
  return JSON.stringify([said ?? null, plain]);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

const NOTHING: Fields = Object.freeze([]);

const TOO_LONG: Unsent = Object.freeze({
  reason: "unfit-value",
  detail:
    "what is to be told of the caller is too long for a field: fewer claims, attributes or fields",
});
