/**
 * Steps: hold parameters and bodies against what the service's description says of the operation, where
 * route or service asks for that (`openapiValidation`).
 *
 * Refuses the first parameter that does not fit (400 `invalid-parameter`), a body of a type that the
 * operation does not take (415), and a JSON body that does not fit (400 `invalid-body`). The caller is told
 * where and by which rule; the value is neither answered nor recorded.
 */
import { getAllFields } from "../wire/fields.ts";
import { jsonBodyFault } from "../wire/json-body.ts";
import type { Deciding } from "./decision.ts";
import { hasBody, hold } from "./hold.ts";
import type { BodyCheck, BodyChecks, Misfit } from "./operations/operation-checks.ts";
import { seenFields } from "./seen-fields.ts";
import type { GateDeps, StepResult } from "./step.ts";

const LIMITS = {
  /** Characters of a JSON Pointer in an answer and in a record. */
  pointer: 256,
} as const;

export function validParameters(deciding: Deciding): StepResult {
  const { operation, route, servicePath, request } = deciding;
  const validation = route?.described?.validation;
  if (operation?.checks === undefined || validation === undefined || validation === "none") {
    return undefined;
  }
  if (request === undefined) throw new TypeError("parameters come after route");
  const { path, query, head } = request;
  const misfit = operation.checks.parameters(servicePath ?? path, query, seenFields(head));
  return misfit && refused(deciding, misfit);
}

export function validBody(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const { operation, route, held } = deciding;
  const checks = operation?.checks?.body;
  if (checks === undefined || route?.described?.validation !== "full") return undefined;
  if (!hasBody(deciding)) return absent(deciding, checks);
  const check = contentCheck(deciding, checks);
  if (typeof check !== "function") return check;
  const judge = (): StepResult => {
    const bytes = deciding.held?.bytes;
    if (bytes === undefined || bytes.length === 0) return absent(deciding, checks);
    const misfit = check(bytes);
    return misfit && refused(deciding, misfit);
  };
  // A route whose policies look into bodies has read it already.
  if (held !== undefined) return judge();
  const limit = route.described.bodyBytes;
  return hold(deciding, limit, deps).then((result) => result ?? judge());
}

/** Undefined where the operation takes any body of that type. */
function contentCheck(
  deciding: Deciding,
  checks: BodyChecks,
): BodyCheck | "unsupported-body" | undefined {
  const fields = seenFields(deciding.input.head);
  const [type, ...more] = getAllFields(fields, "content-type");
  const essence = type?.split(";", 1)[0]?.trim().toLowerCase();
  const found = essence === undefined || more.length > 0 ? undefined : checks.contentOf(essence);
  if (found === "any") return undefined;
  const fault =
    found === undefined ? "a type of body that the operation does not take" : jsonBodyFault(fields);
  if (found !== undefined && fault === undefined) return found;
  deciding.detail = fault;
  return "unsupported-body";
}

function absent(deciding: Deciding, { required }: BodyChecks): StepResult {
  return required ? refused(deciding, { in: "body", pointer: "", rule: "required" }) : undefined;
}

function refused(deciding: Deciding, misfit: Misfit): "invalid-parameter" | "invalid-body" {
  const { in: place, name, rule } = misfit;
  // Names of members may be the caller's own.
  const pointer = misfit.pointer?.slice(0, LIMITS.pointer);
  deciding.misfit = pointer === undefined ? misfit : { ...misfit, pointer };
  const at = [place, name, pointer].filter((part) => part !== undefined && part !== "");
  deciding.detail = `${at.join(" ")}: ${rule}`;
  return place === "body" ? "invalid-body" : "invalid-parameter";
}
