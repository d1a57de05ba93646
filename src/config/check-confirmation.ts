/**
 * Routes that take only tokens which are bound to a key or a certificate: where callers can show neither,
 * the route is closed to everybody.
 */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

/** A proof is for a public origin (DPoP), a certificate for a listener that asks for one. */
export function checkConfirmationWarnings({ listeners, routes, whole }: Draft): PathProblem[] {
  if (listeners.length === 0 || !whole.listeners) return [];
  const provable = listeners.some(
    ({ options: { publicOrigin, tls } }) =>
      publicOrigin !== undefined || tls?.clients !== undefined,
  );
  if (provable) return [];
  return routes.flatMap(({ path, options }) => {
    if (options.confirmation !== "required") return [];
    return [
      {
        path: [...path, "confirmation"],
        message:
          "no bound token can be proven: no listener has a publicOrigin, or asks for certificates",
        remedy: "publicOrigin on the listener that callers come to (DPoP), or its tls.clients",
      },
    ];
  });
}
