import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../model/json.ts";
import { isRpcFault, readRpc } from "./json-rpc.ts";

function read(text: string, protocol: "json-rpc" | "mcp" = "mcp") {
  return readRpc(parseJson(text), protocol);
}

function call(method: string, params?: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

test("readRpc() tells requests, notifications and answers apart", () => {
  const json = "json-rpc" as const;
  assert.deepEqual(read('{"jsonrpc":"2.0","id":"a","method":"sum","params":[1]}', json), {
    protocol: json,
    kind: "request",
    method: "sum",
  });
  assert.deepEqual(read('{"jsonrpc":"2.0","id":null,"method":"sum"}', json), {
    protocol: json,
    kind: "request",
    method: "sum",
  });
  assert.deepEqual(read('{"jsonrpc":"2.0","method":"notifications/initialized"}'), {
    protocol: "mcp",
    kind: "notification",
    method: "notifications/initialized",
  });
  for (const answer of ['"id":1,"result":{}', '"id":null,"error":{"code":1}']) {
    const read1 = read(`{"jsonrpc":"2.0",${answer}}`);
    assert.deepEqual(read1, { protocol: "mcp", kind: "response" });
  }
});

test("readRpc() names what MCP's requests are about", () => {
  const named: readonly [method: string, params: unknown, expected: object][] = [
    ["tools/call", { name: "t", arguments: { name: "other" } }, { tool: "t" }],
    ["resources/read", { uri: "file:///a" }, { resource: "file:///a" }],
    ["resources/subscribe", { uri: "file:///a" }, { resource: "file:///a" }],
    ["resources/unsubscribe", { uri: "file:///a" }, { resource: "file:///a" }],
    ["prompts/get", { name: "p" }, { prompt: "p" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "p" } }, { prompt: "p" }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "u" } }, { resource: "u" }],
    ["tools/list", undefined, {}],
    ["x-own/tools", { name: "n" }, {}],
  ];
  for (const [method, params, expected] of named) {
    const whole = { protocol: "mcp", kind: "request", method, ...expected };
    assert.deepEqual(read(call(method, params)), whole, method);
  }
  const plain = read(call("tools/call", { name: "t" }), "json-rpc");
  assert.deepEqual(plain, { protocol: "json-rpc", kind: "request", method: "tools/call" });
});

const REFUSED: readonly [title: string, text: string, protocol?: "json-rpc"][] = [
  ["a call without an id", '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}'],
  ["a request without an id", '{"jsonrpc":"2.0","method":"tools/list"}'],
  ["a batch", `[${call("tools/list")}]`],
  ["an empty batch", "[]", "json-rpc"],
  ["a text", '"tools/list"'],
  ["another version", '{"jsonrpc":"1.0","id":1,"method":"a"}', "json-rpc"],
  ["no version", '{"id":1,"method":"a"}', "json-rpc"],
  ["neither a method nor an answer", '{"jsonrpc":"2.0","id":1}'],
  ["a call that is an answer", '{"jsonrpc":"2.0","id":1,"method":"a","result":1}'],
  ["an answer with params", '{"jsonrpc":"2.0","id":1,"params":{},"result":1}'],
  ["an answer with a result and an error", '{"jsonrpc":"2.0","id":1,"result":1,"error":{}}'],
  ["an answer without an id", '{"jsonrpc":"2.0","result":1}'],
  ["a method that is no text", '{"jsonrpc":"2.0","id":1,"method":["a"]}'],
  ["an empty method", call("")],
  ["a method with NUL", call("tools/call\0", { name: "t" }), "json-rpc"],
  ["a long method", call("a".repeat(257)), "json-rpc"],
  ["an id that is an object", '{"jsonrpc":"2.0","id":{},"method":"a"}', "json-rpc"],
  ["the id null in MCP", '{"jsonrpc":"2.0","id":null,"method":"a"}'],
  ["params that are a text", call("a", "b"), "json-rpc"],
  ["params that are null", '{"jsonrpc":"2.0","id":1,"method":"a","params":null}', "json-rpc"],
  ["params that are a list in MCP", call("tools/call", ["t"])],
  ["a member in another case", '{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}'],
  ["a method in another case", call("Tools/Call", { name: "t" })],
  ["a method in another spelling", call("resources/un_subscribe", { uri: "u" })],
  ["a method with a blank", call("tools/call ", { name: "t" })],
  ["a call of no tool", call("tools/call")],
  ["a tool that is no text", call("tools/call", { name: 1 })],
  ["a tool with a line feed", call("tools/call", { name: "a\nb" })],
  ["a long tool", call("tools/call", { name: "a".repeat(257) })],
  ["a tool's name in another case", call("tools/call", { name: "a", Name: "b" })],
  ["a resource without a URI", call("resources/read", { name: "a" })],
  ["a long URI", call("resources/read", { uri: "a".repeat(2049) })],
  ["a completion of nothing", call("completion/complete", {})],
  ["a completion of something else", call("completion/complete", { ref: { type: "ref/x" } })],
  ["a reference in another case", call("completion/complete", { Ref: {}, ref: { type: "ref/x" } })],
  ["its type in another case", call("completion/complete", { ref: { Type: "ref/prompt" } })],
];
for (const [title, text, protocol] of REFUSED) {
  test(`readRpc() refuses ${title}`, () => {
    const result = read(text, protocol);
    assert.ok(isRpcFault(result), JSON.stringify(result));
  });
}
