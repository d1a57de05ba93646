/**
 * What the gate reads of one configuration: compiled, frozen, swapped as one value. A request reads
 * it once, at its beginning, and is decided by it to its end.
 */
import type { ConfirmationRule } from "./confirmation-rule.ts";
import type { RouteLimits } from "../limits/route-limits.ts";
import type { Policies, ShadowPolicies } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type {
  BearerVerifier,
  CertificateVerifier,
  ProofVerifier,
  SessionVerifier,
} from "../model/verifiers.ts";
import type { Inspection } from "./inspection.ts";
import type { Validation } from "./operations/description.ts";
import type { OperationRouter } from "./operations/operation-router.ts";
import type { Router } from "./router.ts";

export interface GateRoute {
  readonly name: string;
  /** As it is written, such as `/billing/*`; left out: no trace says it. */
  readonly path?: string | undefined;
  /** Undefined where it redirects. */
  readonly service: string | undefined;
  /** The operations of its service, of which each is an action; undefined: there methods are. */
  readonly described?: DescribedRoute | undefined;
  /** Id of the action that policies are asked about; left out: the request's method. */
  readonly action?: string | undefined;
  /**
   * Who calls here without a credential, where the door itself says who may: the admin socket, which
   * only its owner can open. Left out everywhere else.
   */
  readonly local?: Principal | undefined;
  /** Undefined where no authenticator of the route takes tokens. */
  readonly bearer: BearerVerifier | undefined;
  /** Other ways of the route; undefined where it has none, which keeps the usual way short. */
  readonly further?: FurtherWays | undefined;
  /** Whether tokens have to be bound to their sender; left out: those that are bound have to be proven. */
  readonly confirmation?: ConfirmationRule | undefined;
  /** Fields in which other routes take credentials (`x-api-key`), lower-case; undefined where there are none. */
  readonly unread?: readonly string[] | undefined;
  readonly anonymous: boolean;
  /** What a token must be meant for; undefined: what its authenticator accepts. */
  readonly audience: readonly string[] | undefined;
  /** Whether it takes only hosts that it names, so that what Host says is one of them. */
  readonly namesHost?: boolean | undefined;
  readonly params: readonly { readonly name: string; readonly index: number }[];
  /** Whether preflights for it are answered by us. */
  readonly cors?: boolean;
  /** Whether `;` is let through in paths (`pathParameters: allow`). */
  readonly pathParameters: boolean;
  /** Whether a request may ask for a WebSocket (`upgrades`). */
  readonly websocket?: boolean | undefined;
  /** Rates and concurrency; undefined where the route has none. */
  readonly limits?: RouteLimits | undefined;
  /** Cost units of a request; undefined where requests count for nobody's usage. */
  readonly cost?: number | undefined;
  /** What policies see of its bodies; undefined: nothing, and none is read before it is forwarded. */
  readonly inspect?: Inspection | undefined;
}

/** How the operation of a request is found. */
export interface DescribedRoute {
  /** The route's own; undefined: the service gets the path as it came. */
  readonly rewrite: ((path: string) => string | undefined) | undefined;
  readonly router: OperationRouter;
  /** How far requests are held against the description. */
  readonly validation: Validation;
  /** Most bytes of a body that is. */
  readonly bodyBytes: number;
}

/** Ways to know a caller beside the Authorization field. */
export interface FurtherWays {
  readonly certificate: CertificateVerifier | undefined;
  readonly session: SessionVerifier | undefined;
  /** Fields of their own in which tokens come (`x-api-key`), lower-case, and who takes them. */
  readonly fields: readonly { readonly name: string; readonly bearer: BearerVerifier }[];
  /** Place of each authenticator in the route's list: of several credentials the first says who the principal is. */
  readonly order: ReadonlyMap<string, number>;
}

export interface GateSnapshot {
  readonly router: Router<GateRoute>;
  /** Whether any route lets `;` through; then paths with it reach the router, and the route decides. */
  readonly anyPathParameters: boolean;
  readonly policies: Policies;
  /** A candidate that is asked beside them, and only recorded and counted. */
  readonly shadow?: ShadowPolicies | undefined;
  /** All authenticators of certificates: what a connection proves is told to policies on every route. */
  readonly certificates?: CertificateVerifier | undefined;
  /** Undefined where proofs of possession cannot be checked: what needs one is refused. */
  readonly proofs?: ProofVerifier | undefined;
  /** Public origin of each listener that has one, by name: what proofs have to be made for. */
  readonly origins?: ReadonlyMap<string, string> | undefined;
}
