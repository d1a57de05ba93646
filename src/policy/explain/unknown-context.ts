/** `context` of which nothing is known but the types that the schema gives it (schema.ts). */
import { EMPTY_RECORD, type CedarRecord } from "../cedar/values.ts";
import { sallyportUid } from "../cedar-names.ts";
import { OpenAncestors, PartialRecord, type Unknown } from "./unknown.ts";
import type { ValueType } from "./value-types.ts";

export interface UnknownContext {
  readonly context: ReadonlyMap<string, Unknown>;
  readonly headers: CedarRecord;
  readonly query: CedarRecord;
}

/** For `hideParts`. Whoever knows a member takes it out of `context`. */
export function unknownContext(): UnknownContext {
  return {
    context: new Map([
      member("path", { type: "string" }),
      member("host", { type: "string" }),
      member("method", { type: "string" }),
      member("params", { value: open("params", { type: "string", maybeAbsent: true }) }),
      member("ip", { type: "ip", mayErr: true }),
      member("time", { type: "datetime" }),
      member("scopes", { type: "set" }),
      member("authn", { value: AUTHN }),
      member("workload", caller("workload", "Workload")),
      member("device", caller("device", "Device")),
      member("actor", { value: ACTOR, maybeAbsent: true }),
      // What a description declares can be there and not be read.
      member("parameters", {
        value: open("parameters", { maybeAbsent: true, mayErr: true }),
        maybeAbsent: true,
      }),
      member("body", { value: open("body", { maybeAbsent: true }), maybeAbsent: true }),
      member("rpc", { value: RPC, maybeAbsent: true }),
    ]),
    headers: open("headers", { type: "set", maybeAbsent: true }),
    query: open("query", { type: "set", maybeAbsent: true, mayErr: true }),
  };
}

/** The same where a key is asked for. */
export function unknownKey(): UnknownContext {
  const { context, headers, query } = unknownContext();
  const kept = ["ip", "time", "scopes", "authn", "workload", "device", "actor"];
  return {
    context: new Map([
      ...[...context].filter(([name]) => kept.includes(name)),
      member("lifetime", { type: "long" }),
      ...["binding", "grant", "as", "client"].map((name) => member(name, { type: "string" })),
      member("narrowed", { type: "boolean" }),
      member("other", { type: "string", maybeAbsent: true }),
    ]),
    headers,
    query,
  };
}

type Untold = Omit<Unknown, "name">;

function member(name: string, what: Untold): [string, Unknown] {
  return [name, { name: `context.${name}`, ...what }];
}

/** Any member, each like this. */
function open(name: string, like: Untold): CedarRecord {
  const unknown = new Map<string, Unknown>();
  return new PartialRecord({ name: `context.${name}`, known: EMPTY_RECORD, unknown, open: like });
}

function record(
  name: string,
  there: Readonly<Record<string, ValueType>>,
  optional: Readonly<Record<string, ValueType>>,
): CedarRecord {
  const unknown = new Map<string, Unknown>();
  const add = (own: string, like: Untold): void => {
    unknown.set(own, { name: `context.${name}.${own}`, ...like });
  };
  for (const [own, type] of Object.entries(there)) add(own, { type });
  for (const [own, type] of Object.entries(optional)) add(own, { type, maybeAbsent: true });
  return new PartialRecord({ name: `context.${name}`, known: EMPTY_RECORD, unknown });
}

const AUTHN = record(
  "authn",
  { kind: "string", authenticator: "string", age: "long", amr: "set", bound: "boolean" },
  { acr: "string" },
);

const ACTOR = record(
  "actor",
  { id: "string", subject: "string", authenticator: "string", behind: "set" },
  { issuer: "string", clientId: "string" },
);

const RPC = record(
  "rpc",
  { protocol: "string", kind: "string" },
  { method: "string", tool: "string", resource: "string", prompt: "string" },
);

function caller(name: string, type: string): Untold {
  const attributes = new PartialRecord({
    name: `context.${name}`,
    known: EMPTY_RECORD,
    unknown: new Map(),
    open: { maybeAbsent: true },
  });
  const ancestors = new OpenAncestors(`context.${name}`, []);
  const data = { attributes, tags: EMPTY_RECORD, ancestors };
  const entity = { type: sallyportUid(type, "").type, data };
  return { type: "entity", maybeAbsent: true, entity };
}
