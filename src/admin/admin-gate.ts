/**
 * The admin API before the gate: each operation is a route with an action of its own, so that every
 * call is decided by the policies, and recorded, as any other request is (design section 5, rule 8).
 *
 * There are two doors. At the address a bearer token is needed. Over the Unix socket, which only its
 * owner can open, the caller is `Sallyport::User::"local/<uid>"` and the built-in permit lets it in.
 */
import type { FurtherWays, GateSnapshot, GateRoute } from "../gate/snapshot.ts";
import type { BearerVerifier } from "../model/verifiers.ts";
import { createRouter, pathParams, type RoutePattern } from "../gate/router.ts";
import { ADMIN_ROUTE, adminAction, type AdminOperation } from "../model/admin-operations.ts";
import type { Policies, ShadowPolicies } from "../model/policy.ts";
import { METHODS } from "../model/vocabulary.ts";
import { localPrincipal, withLocalSocket } from "../policy/decide/local-socket.ts";
import { ADMIN_PLACES } from "./operations.ts";

/** What the gate decides calls by; one for each door. */
export interface AdminSnapshots {
  /** Those in force, about traffic and calls alike. */
  readonly policies: Policies;
  /** Undefined where nobody may call the API at the address. */
  readonly address: GateSnapshot | undefined;
  readonly socket: GateSnapshot;
}

export interface AdminGateParts {
  readonly policies: Policies;
  /** The candidate set; not asked about the socket, whose permit no policy can change. */
  readonly shadow?: ShadowPolicies | undefined;
  /** Of `admin.authenticate`; undefined where it is left out. */
  readonly bearer: BearerVerifier | undefined;
  /** The other ways of `admin.authenticate`. */
  readonly further?: FurtherWays | undefined;
  readonly audience: readonly string[] | undefined;
  /** The user that this process runs as. */
  readonly uid: number;
}

export function createAdminSnapshots(parts: AdminGateParts): AdminSnapshots {
  const { policies, shadow, bearer, further, audience, uid } = parts;
  const named = bearer !== undefined || further !== undefined;
  const snapshot = (who: Who, decide: Policies): GateSnapshot => ({
    router: createRouter(adminGateRoutes({ ...who, audience }), METHODS),
    anyPathParameters: false,
    policies: decide,
  });
  return {
    policies,
    address: named ? { ...snapshot({ bearer, further }, policies), shadow } : undefined,
    socket: snapshot({ bearer: undefined, local: localPrincipal(uid) }, withLocalSocket(policies)),
  };
}

type Who = Pick<GateRoute, "bearer" | "further" | "local">;

/** One route for each operation; all have the one reserved name. */
export function adminGateRoutes(
  who: Who & Pick<GateRoute, "audience">,
): readonly (RoutePattern & { readonly value: GateRoute })[] {
  return ADMIN_PLACES.map(({ operation, method, path }) => ({
    name: ADMIN_ROUTE,
    host: undefined,
    path,
    methods: [method.toUpperCase()],
    value: {
      name: ADMIN_ROUTE,
      service: undefined,
      action: adminAction(operation),
      ...who,
      anonymous: false,
      params: pathParams(path),
      pathParameters: false,
    },
  }));
}

/** The operation that a permit is for. Throws TypeError for a permit of another gate. */
export function operationOf({ action }: GateRoute): AdminOperation {
  const found = ADMIN_PLACES.find(({ operation }) => adminAction(operation) === action);
  if (found === undefined) throw new TypeError("not a permit for the admin API");
  return found.operation;
}
