/**
 * What a case says of a body, as policies would see it. Refused: what no body of that route could lead
 * to (a value that the route does not read, a call that the gate refuses), because a case about it would
 * show nothing.
 */
import { type JsonValue, parseJson } from "../../model/json.ts";
import type { PolicyRequest } from "../../model/policy.ts";
import type { AttributeType, AttributeValue } from "../../model/principal.ts";
import { RPC_NAMES, type RpcCall, type RpcProtocol } from "../../model/rpc.ts";
import { suggest } from "../../model/suggest.ts";
import type { VocabularyInspection } from "../../model/vocabulary.ts";
import { isRpcFault, readRpc } from "../../wire/json-rpc.ts";
import type { WrittenRequest } from "./test-format.ts";

export interface BodyProblem {
  readonly key: "body" | "rpc";
  readonly further: readonly string[];
  readonly message: string;
  readonly remedy: string;
}

type Seen = Pick<PolicyRequest, "body" | "rpc">;
type WrittenRpc = NonNullable<WrittenRequest["rpc"]>;

/** `inspect` is what the route reads; undefined: nothing. */
export function readBodies(
  { body, rpc }: Pick<WrittenRequest, "body" | "rpc">,
  inspect: VocabularyInspection | undefined,
): Seen | BodyProblem {
  if (body === undefined && rpc === undefined) return {};
  if (inspect === undefined) {
    const key = body === undefined ? "rpc" : "body";
    return problem(key, "the route lets policies see nothing of bodies", "inspect on the route");
  }
  const unfit = unfitValue(body ?? {}, inspect.body);
  if (unfit !== undefined) return unfit;
  const seen = { body: body ?? {} };
  if (inspect.rpc !== undefined)
    return rpc === undefined ? NO_CALL : called(rpc, inspect.rpc, seen);
  return rpc === undefined ? seen : problem("rpc", "the route reads no JSON-RPC", "no rpc");
}

export function isBodyProblem(read: Seen | BodyProblem): read is BodyProblem {
  return "message" in read;
}

const NO_CALL = problem(
  "body",
  "the route takes only JSON-RPC messages",
  "rpc beside it, with method",
);

function problem(
  key: BodyProblem["key"],
  message: string,
  remedy: string,
  ...further: string[]
): BodyProblem {
  return { key, further, message, remedy };
}

function unfitValue(
  body: Readonly<Record<string, AttributeValue>>,
  declared: Readonly<Record<string, AttributeType>>,
): BodyProblem | undefined {
  const names = Object.keys(declared);
  for (const [name, value] of Object.entries(body)) {
    const type = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (type === undefined) {
      const close = suggest(name, names);
      const remedy = close === undefined ? names.join(", ") || "none" : `did you mean "${close}"?`;
      return problem("body", `some route may read "${name}", this one does not`, remedy, name);
    }
    if (!isOfType(value, type)) return problem("body", `"${name}" is a ${type}`, TYPES[type], name);
  }
  return undefined;
}

const TYPES: Readonly<Record<AttributeType, string>> = {
  string: "a text",
  bool: "true or false",
  long: "a whole number",
  strings: "a list of texts",
};

function isOfType(value: AttributeValue, type: AttributeType): boolean {
  if (type === "strings") return Array.isArray(value);
  if (type === "bool") return typeof value === "boolean";
  if (type === "string") return typeof value === "string";
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value;
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** Read as a message that says so would be: by the gate's own reader. */
function called(written: WrittenRpc, protocol: RpcProtocol, seen: Seen): Seen | BodyProblem {
  const call = readRpc(messageOf(written), protocol);
  if (isRpcFault(call)) {
    return problem("rpc", `the gate refuses such a message: ${call.fault}`, "one that it takes");
  }
  const lost = RPC_NAMES.find((name) => written[name] !== undefined && call[name] === undefined);
  if (lost === undefined) return { ...seen, rpc: call };
  const message = `a ${protocol} ${call.method ?? "response"} names no ${lost}`;
  return problem("rpc", message, `no ${lost}, or another method`, lost);
}

function messageOf(written: WrittenRpc): JsonValue {
  const { kind = "request", tool, resource: uri, prompt } = written;
  const jsonrpc = "2.0";
  const id = kind === "notification" ? undefined : 1;
  const method = written.method ?? methodOf(written);
  if (kind === "response") return asJson({ jsonrpc, id, method, result: {} });
  const names = { name: tool ?? prompt, uri };
  const type = prompt === undefined ? "ref/resource" : "ref/prompt";
  const params = method === "completion/complete" ? { ref: { type, ...names } } : names;
  return asJson({ jsonrpc, id, method, params });
}

/** As it comes over the wire: what is undefined is not there. */
function asJson(message: object): JsonValue {
  return parseJson(JSON.stringify(message));
}

/** What is most often meant where only the name is written. */
function methodOf({ tool, resource, prompt }: WrittenRpc): RpcCall["method"] {
  if (tool !== undefined) return "tools/call";
  if (resource !== undefined) return "resources/read";
  return prompt === undefined ? undefined : "prompts/get";
}
