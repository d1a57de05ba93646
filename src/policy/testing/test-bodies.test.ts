import assert from "node:assert/strict";
import { test } from "node:test";
import { isBodyProblem, readBodies } from "./test-bodies.ts";

const DECLARED = { amount: "long", ok: "bool", note: "string", tags: "strings" } as const;
const MCP = { body: DECLARED, rpc: "mcp" } as const;

test("readBodies() gives what policies would see", () => {
  assert.deepEqual(readBodies({}, undefined), {});
  const body = { amount: 2n ** 62n, ok: true, note: "n", tags: ["a"] };
  assert.deepEqual(readBodies({ body }, { body: DECLARED }), { body });
  const call = { protocol: "mcp", kind: "request" } as const;
  assert.deepEqual(readBodies({ rpc: { tool: "t" } }, MCP), {
    body: {},
    rpc: { ...call, method: "tools/call", tool: "t" },
  });
  const written = [
    { resource: "u" },
    { prompt: "p" },
    { method: "completion/complete", prompt: "p" },
    { method: "completion/complete", resource: "u" },
    { method: "tools/list" },
    { kind: "notification", method: "notifications/initialized" },
    { kind: "response" },
  ] as const;
  for (const rpc of written) {
    const seen = readBodies({ rpc }, MCP);
    assert.ok(!isBodyProblem(seen), JSON.stringify(seen));
    for (const [name, value] of Object.entries(rpc)) {
      assert.equal(seen.rpc?.[name as "kind"], value);
    }
  }
});

const REFUSED: readonly [
  message: RegExp,
  written: Parameters<typeof readBodies>[0],
  inspect: Parameters<typeof readBodies>[1],
][] = [
  [/nothing of bodies/, { body: {} }, undefined],
  [/nothing of bodies/, { rpc: { tool: "t" } }, undefined],
  [/this one does not/, { body: { amuont: 1 } }, { body: DECLARED }],
  [/this one does not/, { body: { constructor: 1 } }, { body: DECLARED }],
  [/is a long/, { body: { amount: "1" } }, { body: DECLARED }],
  [/is a long/, { body: { amount: 2n ** 63n } }, { body: DECLARED }],
  [/is a bool/, { body: { ok: "true" } }, { body: DECLARED }],
  [/is a string/, { body: { note: 1 } }, { body: DECLARED }],
  [/is a strings/, { body: { tags: "a" } }, { body: DECLARED }],
  [/only JSON-RPC/, { body: { amount: 1 } }, MCP],
  [/no JSON-RPC/, { rpc: { method: "a" } }, { body: DECLARED }],
  [/refuses such a message/, { rpc: { method: "tools/call" } }, MCP],
  [/refuses such a message/, { rpc: { method: "Tools/Call", tool: "t" } }, MCP],
  [/refuses such a message/, { rpc: {} }, MCP],
  [/refuses such a message/, { rpc: { kind: "response", method: "a" } }, MCP],
  [/names no tool/, { rpc: { method: "tools/list", tool: "t" } }, MCP],
  [/names no tool/, { rpc: { method: "a", tool: "t" } }, { body: {}, rpc: "json-rpc" }],
];
for (const [message, written, inspect] of REFUSED) {
  test(`readBodies() refuses ${JSON.stringify(written, plain)}`, () => {
    const read = readBodies(written, inspect);
    assert.ok(isBodyProblem(read), JSON.stringify(read, plain));
    assert.match(read.message, message);
  });
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
