/**
 * What a request asks to switch to: a WebSocket where the route lists it, and nothing else anywhere.
 * Offers that clients make unasked (`h2c`) are ignored, as RFC 9110 section 7.8 allows; everything
 * else is refused with a reason, because who asks for it does not want a plain answer.
 */
import type { RequestHead } from "../model/http.ts";
import { askedUpgrade, handshakeFault, websocketKey } from "../wire/websocket.ts";
import type { Deciding } from "./decision.ts";
import type { GateRoute } from "./snapshot.ts";
import type { StepResult } from "./step.ts";

export function upgrade(deciding: Deciding, route: GateRoute, head: RequestHead): StepResult {
  const asked = askedUpgrade(head);
  if (asked === "none") return undefined;
  if (asked === "other" || route.websocket !== true) {
    deciding.detail =
      asked === "other"
        ? "Upgrade to a protocol that is never switched to"
        : "Upgrade to websocket, which the route does not list in upgrades";
    return "upgrade-not-allowed";
  }
  const fault = handshakeFault(head);
  if (fault !== undefined) {
    deciding.detail = fault;
    return "invalid-upgrade";
  }
  deciding.websocketKey = websocketKey(head.fields);
  return undefined;
}
