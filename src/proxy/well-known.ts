/**
 * Our own public documents on a listener that serves them: key sets under `/.well-known/sallyport/`, and
 * what OAuth clients are told of each route (`protected-resources.ts`).
 *
 * They come before the gate: everybody may read them, and whoever verifies our signatures must be able
 * to while nobody is permitted anything. So there is no decision to record; they are counted. The
 * path is compared as it was sent: any other spelling of it is a request like all others, and the
 * gate finds no route for it.
 */
import { answerKeySet } from "../keys/jwks.ts";
import type { RequestHead } from "../model/http.ts";
import type { Metrics } from "../model/ports.ts";
import type { PublishedKey } from "../model/signing.ts";
import type { OwnAnswer } from "./own-answer.ts";
import type { ProtectedResources } from "./protected-resources.ts";

export interface WellKnown {
  /** Undefined where it is no document of ours. */
  answer(
    head: RequestHead,
    listener: string,
    resources: ProtectedResources | undefined,
  ): OwnAnswer | undefined;
}

export interface WellKnownDeps {
  /** All that are published now; of the uses that are not public nothing is shown. */
  readonly keys: () => readonly PublishedKey[];
  readonly metrics: Metrics;
}

export function createWellKnown({ keys, metrics }: WellKnownDeps): WellKnown {
  const requests = metrics.counter(
    "sallyport_well_known_requests_total",
    "Requests for our own public documents, which no decision is recorded of.",
    ["document", "status"],
  );
  return {
    answer(head, listener, resources) {
      const { method, target, fields } = head;
      if (!target.startsWith("/.well-known/")) return undefined;
      const end = target.indexOf("?");
      const path = end === -1 ? target : target.slice(0, end);
      const answer = answerKeySet({ method, path, ifNoneMatch: valueOf(fields) }, keys());
      if (answer !== undefined) {
        requests.with(answer.use, String(answer.status)).inc();
        return answer;
      }
      const resource = resources?.answer(listener, head);
      if (resource !== undefined) requests.with("resource", String(resource.status)).inc();
      return resource;
    },
  };
}

/** `If-None-Match`, which may be sent in several lines (RFC 9110 section 5.3). */
function valueOf(fields: readonly string[]): string | undefined {
  const values = fields.filter(
    (_, index) => index % 2 === 1 && fields[index - 1] === "if-none-match",
  );
  return values.length === 0 ? undefined : values.join(",");
}
