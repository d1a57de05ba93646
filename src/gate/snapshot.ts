/**
 * What the gate reads of one configuration: compiled, frozen, swapped as one value. A request reads
 * it once, at its beginning, and is decided by it to its end.
 */
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import type { RouteLimits } from "../limits/route-limits.ts";
import type { Policies } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type { Router } from "./router.ts";

/** The ways to take a bearer token on one route. */
export interface BearerVerifier {
  /** Facts already known about this token, or undefined. Never waits, never spends a signature check. */
  recall(token: string): CredentialFacts | undefined;
  verify(
    token: string,
  ): CredentialFacts | CredentialFailure | Promise<CredentialFacts | CredentialFailure>;
}

export interface GateRoute {
  readonly name: string;
  /** Undefined where it redirects. */
  readonly service: string | undefined;
  /** Id of the action that policies are asked about; left out: the request's method. */
  readonly action?: string | undefined;
  /**
   * Who calls here without a credential, where the door itself says who may: the admin socket, which
   * only its owner can open. Left out everywhere else.
   */
  readonly local?: Principal | undefined;
  /** Undefined where no authenticator of the route takes bearer tokens. */
  readonly bearer: BearerVerifier | undefined;
  readonly anonymous: boolean;
  /** What a token must be meant for; undefined: what its authenticator accepts. */
  readonly audience: readonly string[] | undefined;
  readonly params: readonly { readonly name: string; readonly index: number }[];
  /** Whether preflights for it are answered by us. */
  readonly cors?: boolean;
  /** Whether `;` is let through in paths (`pathParameters: allow`). */
  readonly pathParameters: boolean;
  /** Whether a request may ask for a WebSocket (`upgrades`). */
  readonly websocket?: boolean | undefined;
  /** Rates and concurrency; undefined where the route has none. */
  readonly limits?: RouteLimits | undefined;
}

export interface GateSnapshot {
  readonly router: Router<GateRoute>;
  /** Whether any route lets `;` through; then paths with it reach the router, and the route decides. */
  readonly anyPathParameters: boolean;
  readonly policies: Policies;
}
