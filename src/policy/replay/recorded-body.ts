/**
 * What of a body a record has, as far as a candidate looks into it. A value counts as known only where it
 * is there: what the record lacks may have been absent, or not been looked at by the policies of then.
 */
import type { AttributeValue } from "../../model/principal.ts";
import type { RpcCall } from "../../model/rpc.ts";
import type { VocabularyInspection } from "../../model/vocabulary.ts";
import type { RecordedBody } from "../explain/recorded-body.ts";

export interface RecordedBodies {
  readonly body?: RecordedBody | undefined;
  readonly rpc?: RpcCall | undefined;
}

export interface SeenBody {
  readonly body: Readonly<Record<string, AttributeValue>> | undefined;
  readonly rpc: RpcCall | undefined;
  /** Members of the context that are not known. */
  readonly unknown: readonly ("body" | "rpc")[];
}

const NOTHING: SeenBody = { body: undefined, rpc: undefined, unknown: [] };

/** `inspect`: what policies are to see of the route's bodies. */
export function seenBody(
  { body, rpc }: RecordedBodies,
  inspect: VocabularyInspection | undefined,
): SeenBody {
  if (inspect === undefined) return NOTHING;
  const names = Object.keys(inspect.body);
  const values = knownValues(body, names);
  const unknown: ("body" | "rpc")[] = [];
  if (names.length > 0 && values === undefined) unknown.push("body");
  if (inspect.rpc !== undefined && rpc === undefined) unknown.push("rpc");
  return { body: names.length > 0 ? values : undefined, rpc, unknown };
}

/** Undefined where one is missing, or only its hash is there. */
function knownValues(
  body: RecordedBody | undefined,
  names: readonly string[],
): Readonly<Record<string, AttributeValue>> | undefined {
  if (body === undefined) return undefined;
  const values: Record<string, AttributeValue> = {};
  for (const name of names) {
    const found = Object.hasOwn(body, name) ? body[name] : undefined;
    if (found === undefined || !("value" in found)) return undefined;
    values[name] = found.value;
  }
  return values;
}
