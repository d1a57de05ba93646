/**
 * What a JSON-RPC 2.0 message asks for, and which tool, resource or prompt one of the Model Context
 * Protocol names. For somebody who decides by it while somebody else acts by the same bytes.
 *
 * Refuses batches (each member would need a decision of its own; MCP has had none since 2025-06-18),
 * messages that are a call and an answer at once, members and methods in another spelling that a lenient
 * reader would take for the real one, and MCP requests that leave out their id, or the name that they are about.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../model/json.ts";
import type { RpcCall, RpcProtocol } from "../model/rpc.ts";
import { foldedName, hasLookalike } from "./member-names.ts";

const LIMITS = {
  /** Characters of a method, and of the name of a tool or prompt: MCP allows 128 for tools. */
  name: 256,
  /** Characters of a resource's URI: as long as URLs get. Records hold it whole. */
  uri: 2048,
} as const;

/** For the operator; holds nothing of the message. */
export interface RpcFault {
  readonly fault: string;
}

export function readRpc(document: JsonValue, protocol: RpcProtocol): RpcCall | RpcFault {
  if (Array.isArray(document)) return { fault: "a batch: send its members one by one" };
  if (!isJsonObject(document)) return { fault: "no JSON-RPC message: not an object" };
  if (hasLookalike(document, MEMBERS)) return SPELLING;
  if (document["jsonrpc"] !== "2.0") return { fault: 'no JSON-RPC message: /jsonrpc is not "2.0"' };
  const answers = "result" in document || "error" in document;
  if (!("method" in document)) return answers ? readResponse(document, protocol) : NEITHER;
  return answers ? BOTH : readCall(document, protocol);
}

export function isRpcFault(message: RpcCall | RpcFault): message is RpcFault {
  return "fault" in message;
}

const MEMBERS = ["jsonrpc", "method", "params", "id", "result", "error"];
const SPELLING: RpcFault = { fault: "a member whose name looks like one of JSON-RPC's" };
const NEITHER: RpcFault = { fault: "no JSON-RPC message: neither a method nor an answer" };
const BOTH: RpcFault = { fault: "a JSON-RPC message that is a call and an answer at once" };

function readResponse(message: JsonObject, protocol: RpcProtocol): RpcCall | RpcFault {
  if ("result" in message && "error" in message) {
    return { fault: "a JSON-RPC answer with both a result and an error" };
  }
  if ("params" in message) return BOTH;
  // An answer to what could not be read has the id null.
  return isId(message["id"]) || message["id"] === null ? { protocol, kind: "response" } : BAD_ID;
}

const BAD_ID: RpcFault = { fault: "/id is neither a text nor a number" };

function readCall(message: JsonObject, protocol: RpcProtocol): RpcCall | RpcFault {
  const { id, method, params } = message;
  if (!isName(method, LIMITS.name)) {
    return { fault: `/method is no text of 1 to ${LIMITS.name} characters` };
  }
  const nullId = id === null && protocol === "json-rpc";
  if ("id" in message && !isId(id) && !nullId) return BAD_ID;
  const call = { protocol, kind: "id" in message ? "request" : "notification", method } as const;
  const listed = Array.isArray(params) && protocol === "json-rpc";
  if (params !== undefined && !isJsonObject(params) && !listed) {
    const what = protocol === "mcp" ? "an object" : "an object or a list";
    return { fault: `/params is not ${what}` };
  }
  return protocol === "mcp" ? withNames(call, isJsonObject(params) ? params : {}) : call;
}

function isId(id: JsonValue | undefined): boolean {
  return typeof id === "string" || typeof id === "number" || typeof id === "bigint";
}

/** Without control characters: some read a text only up to NUL, or to the end of a line. */
function isName(value: JsonValue | undefined, most: number): value is string {
  return (
    typeof value === "string" && value.length > 0 && value.length <= most && !CONTROL.test(value)
  );
}

const CONTROL = /\p{Cc}/u;
/** What MCP's methods are made of: nothing that somebody would trim or decode. */
const MCP_METHOD = /^[A-Za-z0-9$._/-]+$/;

/** What MCP's notifications begin with: all its other methods are requests. */
const NOTIFICATIONS = "notifications/";

type Named = "tool" | "resource" | "prompt";

/** MCP's methods that are about one thing (2025-06-18), and where its name stands in the params. */
const NAMING: ReadonlyMap<string, readonly [what: Named, member: "name" | "uri"]> = new Map([
  ["tools/call", ["tool", "name"]],
  ["resources/read", ["resource", "uri"]],
  ["resources/subscribe", ["resource", "uri"]],
  ["resources/unsubscribe", ["resource", "uri"]],
  ["prompts/get", ["prompt", "name"]],
]);
const COMPLETE = "completion/complete";
const REFERENCES: ReadonlyMap<JsonValue | undefined, readonly [Named, "name" | "uri"]> = new Map([
  ["ref/prompt", ["prompt", "name"]],
  ["ref/resource", ["resource", "uri"]],
]);
const FOLDED: ReadonlySet<string> = new Set([...NAMING.keys(), COMPLETE].map(foldedName));

function withNames(call: RpcCall & { readonly method: string }, params: JsonObject) {
  const { method } = call;
  if (!MCP_METHOD.test(method)) return { fault: "/method is none of MCP's: other characters" };
  // Without an id nobody is to answer, but some servers act: what asks for something has to say so.
  if (call.kind === "notification" && !method.startsWith(NOTIFICATIONS)) {
    return { fault: "an MCP request without an id; only notifications/… have none" };
  }
  const naming = NAMING.get(method);
  if (naming !== undefined) return withName(call, naming, { at: "/params", members: params });
  if (method === COMPLETE) return withReference(call, params);
  // A server that compares without case would take it for the real one.
  return FOLDED.has(foldedName(method))
    ? { fault: "/method is one of MCP's in another spelling" }
    : call;
}

function withReference(call: RpcCall, params: JsonObject): RpcCall | RpcFault {
  const { ref } = params;
  if (hasLookalike(params, ["ref"]) || !isJsonObject(ref) || hasLookalike(ref, ["type"])) {
    return { fault: "/params/ref is no object, or a member looks like one of its" };
  }
  const naming = REFERENCES.get(ref["type"]);
  if (naming === undefined) return { fault: "/params/ref/type is none that MCP knows" };
  return withName(call, naming, { at: "/params/ref", members: ref });
}

function withName(
  call: RpcCall,
  [what, member]: readonly [Named, "name" | "uri"],
  { at, members }: { readonly at: string; readonly members: JsonObject },
): RpcCall | RpcFault {
  if (hasLookalike(members, [member])) return SPELLING;
  const name = members[member];
  const most = member === "uri" ? LIMITS.uri : LIMITS.name;
  if (!isName(name, most)) {
    return { fault: `${at}/${member} is no text of 1 to ${most} characters` };
  }
  return { ...call, [what]: name };
}
