/**
 * The one permit that no policy file holds: whoever may open the admin socket may do everything there.
 * It wins over every policy, also over a `forbid`: who can open a socket of mode 0600 can also read the
 * keys, change the policies and restart the process, so a rule against them would only keep out the
 * operator who has to undo a mistake. It is recorded by its id like any other.
 */
import { LOCAL_AUTHENTICATOR } from "../../model/admin-operations.ts";
import type { Policies, PolicyDecision } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import { isAdminAction } from "../cedar-names.ts";

/** What `determining` has. Ids of policies in files cannot begin with `sallyport:`. */
export const LOCAL_SOCKET_POLICY = "sallyport:local-socket";

const PERMITTED: PolicyDecision = Object.freeze({
  reason: "permitted",
  determining: Object.freeze([LOCAL_SOCKET_POLICY]),
  erroring: Object.freeze([]),
  reads: Object.freeze([]),
});

/** The caller over the socket: the user that this process runs as, since no other can open it. */
export function localPrincipal(uid: number): Principal {
  return Object.freeze({
    kind: "user",
    authenticator: LOCAL_AUTHENTICATOR,
    subject: String(uid),
    roles: Object.freeze([]),
    groups: Object.freeze([]),
    attributes: Object.freeze({}),
  });
}

/** The policies, and before them the permit of the socket. To be asked about nothing but its callers. */
export function withLocalSocket(policies: Policies): Policies {
  return {
    hash: policies.hash,
    decide(request) {
      const local = request.principal.authenticator === LOCAL_AUTHENTICATOR;
      return local && isAdminAction(request.action) ? PERMITTED : policies.decide(request);
    },
  };
}
