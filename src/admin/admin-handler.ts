/**
 * The operators' door as an exchange handler: `/livez`, `/readyz` and `/metrics` for whoever reaches
 * it, and the admin API, where this door has one.
 *
 * Refuses a Host that is a name other than localhost where it speaks plain HTTP: a web page could
 * reach it through a name of its own that points here (DNS rebinding). With TLS such a page has no
 * certificate for its name.
 */
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";
import type { Clock } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import type { AdminCalls } from "./admin-calls.ts";
import { createHealthHandler, type HealthDeps, isLocalHost } from "./health.ts";
import { denialDocument, problemAnswer } from "./problem.ts";

export interface AdminHandlerDeps extends HealthDeps {
  readonly clock: Pick<Clock, "now">;
}

/** `calls`: the admin API behind this door; undefined where it has none. */
export function createAdminHandler(
  deps: AdminHandlerDeps,
  calls: AdminCalls | undefined,
): ExchangeHandler {
  const health = createHealthHandler(deps);
  return {
    request(exchange) {
      const { head, connection } = exchange;
      const uncertified = connection.peer.tls?.refusal(deps.clock.now());
      if (uncertified !== undefined) {
        // `tls.clients` is about this door as a whole, and nobody is told more than why.
        refuseConnection(exchange, uncertified);
      } else if (connection.scheme === "http" && !isLocalHost(head.host)) {
        health.request(exchange); // refuses it
      } else if (head.target === METADATA_PATH && calls?.open === true) {
        calls.answerMetadata(exchange);
      } else if (isApiTarget(head.target) && calls?.open === true) {
        calls.answer(exchange);
      } else {
        health.request(exchange);
      }
    },
    malformed: (fault) => health.malformed(fault),
  };
}

/** RFC 8615; AuthZEN 1.0, section 9. */
const METADATA_PATH = "/.well-known/authzen-configuration";

function refuseConnection(exchange: Exchange, reason: Reason): void {
  const { status, fields, body } = problemAnswer(denialDocument(reason));
  exchange.reply(status, [...fields.flat(), "cache-control", "no-store"], body, { close: true });
}

/** By the target as received: what the gate canonicalises in another way it refuses or routes itself. */
function isApiTarget(target: string): boolean {
  return target.startsWith("/v1/") || target.startsWith("/access/v1/");
}
