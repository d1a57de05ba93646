/** What a service's consistent hashing goes by: read from the permit, so from what the gate has seen. */
import type { Permit } from "../gate/decision.ts";
import type { HashOptions } from "../http/balance/balance-options.ts";
import { principalId } from "../model/principal.ts";
import { parseCookies } from "../wire/cookies.ts";
import { getField } from "../wire/fields.ts";

type KeyOf = (permit: Pick<Permit, "principal" | "request">) => string | undefined;

/** Undefined where the request has none: such requests are spread. */
export function createHashKey({ by, name = "" }: HashOptions): KeyOf {
  if (by === "principal") return ofPrincipal;
  if (by === "header") return ({ request }) => getField(request.head.fields, name);
  return ({ request }) => {
    const field = getField(request.head.fields, "cookie");
    if (field === undefined) return undefined;
    return parseCookies(field).find((cookie) => cookie.name === name)?.value;
  };
}

function ofPrincipal({ principal }: Pick<Permit, "principal">): string | undefined {
  return principal.kind === "anonymous" ? undefined : principalId(principal);
}
