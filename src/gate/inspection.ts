/** What a route reads of JSON bodies, compiled; and what was read of one. */
import { parseJson, type JsonValue } from "../model/json.ts";
import type { InspectedBody } from "../model/records.ts";
import type { RpcCall } from "../model/rpc.ts";
import { createJsonFields } from "../wire/json-fields.ts";
import { isRpcFault, readRpc } from "../wire/json-rpc.ts";
import type { InspectOptions } from "./inspect-options.ts";

/** Of one route. */
export interface Inspection {
  /** Most bytes of a body. */
  readonly limit: number;
  /** The same for routes that read the same. */
  readonly shape: string;
  /** Of no bytes, nothing; that is no fault. */
  read(bytes: Uint8Array): Inspected | InspectionFault;
}

/** Of one request. */
export interface Inspected {
  readonly shape: string;
  /** Undefined where the body turned out to be empty. */
  readonly body: InspectedBody["values"] | undefined;
  /** Names of values that records hold in clear. */
  readonly clear: ReadonlySet<string>;
  readonly rpc: RpcCall | undefined;
}

export interface InspectionFault {
  /** For the operator; names places, and holds nothing of the body. */
  readonly fault: string;
}

const LIMITS = {
  /** Arrays and objects around a value, as for bodies that are changed. */
  depth: 64,
  /** Each costs a microsecond or two, in which nobody else is served. */
  values: 10_000,
} as const;

export function createInspection(
  { limit, json, rpc }: InspectOptions,
  bodyBytes: number,
): Inspection {
  const shape = JSON.stringify([json, rpc]);
  const readFields = createJsonFields(json);
  const clear = new Set(json.filter(({ record }) => record === "clear").map(({ name }) => name));
  const nothing: Inspected = { shape, body: undefined, clear, rpc: undefined };
  return {
    limit: Math.min(limit, bodyBytes),
    shape,
    read(bytes) {
      if (bytes.length === 0) return nothing;
      const parsed = parse(bytes);
      if ("fault" in parsed) return parsed;
      const call = rpc === undefined ? undefined : readRpc(parsed.document, rpc);
      if (call !== undefined && isRpcFault(call)) return call;
      const found = readFields(parsed.document, parsed.text);
      if (found.fault !== undefined) return { fault: found.fault };
      return { shape, body: found.values, clear, rpc: call };
    },
  };
}

export function isInspectionFault(read: Inspected | InspectionFault): read is InspectionFault {
  return "fault" in read;
}

function parse(
  bytes: Uint8Array,
): InspectionFault | { readonly text: string; readonly document: JsonValue } {
  try {
    const text = utf8.decode(bytes);
    return {
      text,
      document: parseJson(text, { maxDepth: LIMITS.depth, maxValues: LIMITS.values }),
    };
  } catch (error) {
    const fault = error instanceof SyntaxError ? error.message : "the text is not valid UTF-8";
    return { fault };
  }
}

// ignoreBOM keeps the mark in the text, where the grammar then refuses it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
