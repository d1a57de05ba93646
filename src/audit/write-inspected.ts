/**
 * What policies saw of a body, as records hold it. A value is personal data until the route says otherwise:
 * then, and only while it is short, it stands there itself; else its keyed hash does, one for each text of
 * a list. What a JSON-RPC message asked for is what the decision is about, so it is in clear.
 */
import type { AttributeType, AttributeValue } from "../model/principal.ts";
import type { InspectedBody } from "../model/records.ts";
import { RPC_NAMES, type RpcCall } from "../model/rpc.ts";
import type { Lines } from "./lines.ts";
import type { ValueHash } from "./value-hash.ts";
import { writeAttribute } from "./write-attribute.ts";

const LIMITS = {
  /** Characters of a value in clear; of what is longer the hash says whether it is the same. */
  clear: 1024,
} as const;

export function writeBody(lines: Lines, { values, clear }: InspectedBody, hash: ValueHash): void {
  lines.text("{");
  for (const [index, name] of Object.keys(values).toSorted().entries()) {
    const value = values[name] ?? "";
    const texts = textsOf(value);
    lines.text(index > 0 ? "," : "").quoted(name);
    if (clear.has(name) && lengthOf(texts) <= LIMITS.clear) {
      lines.text(':{"value":');
      writeAttribute(lines, value);
      lines.text("}");
    } else {
      lines.text(':{"hashes":').list(texts.map((text) => hash("body", name, text)));
      lines.text(',"type":').quoted(typeOf(value)).text("}");
    }
  }
  lines.text("}");
}

export function writeRpc(lines: Lines, call: RpcCall): void {
  lines.text('{"kind":').quoted(call.kind);
  for (const name of RPC_NAMES) {
    // In the order of the names: kind, method, prompt, protocol, resource, tool.
    if (name === "resource") lines.text(',"protocol":').quoted(call.protocol);
    const value = call[name];
    if (value !== undefined) lines.text(`,"${name}":`).quoted(value);
  }
  lines.text("}");
}

/** What is hashed of a value: a list by each of its texts, all others as they are written. */
function textsOf(value: AttributeValue): readonly string[] {
  return Array.isArray(value) ? (value as readonly string[]) : [String(value)];
}

/** What it was declared as: whoever decides again has to know at least that. */
function typeOf(value: AttributeValue): AttributeType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return Array.isArray(value) ? "strings" : "long";
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
