import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAccessDetails } from "./access-details.ts";

function refused(value: unknown, words: RegExp): void {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const read = parseAccessDetails(text);
  assert.ok("fault" in read, `it was taken: ${text}`);
  assert.match(read.fault, words);
}

test("parseAccessDetails() reads entries of our type", () => {
  const entry = {
    type: "sallyport",
    services: ["billing"],
    routes: ["invoices"],
    methods: ["GET"],
    operations: ["billing:getInvoice"],
  };
  assert.deepEqual(parseAccessDetails(JSON.stringify([entry])), [entry]);
  assert.deepEqual(parseAccessDetails('[{"type":"sallyport"}]'), [{ type: "sallyport" }]);
});

test("parseAccessDetails() refuses what is no list of entries", () => {
  refused("{", /JSON/);
  refused("[[[[1]]]]", /nested too deeply/);
  refused('[{"type":"sallyport","type":"sallyport"}]', /repeated/);
  refused({ type: "sallyport" }, /not a list/);
  refused([], /not a list/);
  refused(["sallyport"], /no object/);
});

test("parseAccessDetails() refuses types and members that nobody enforces", () => {
  refused([{ type: "payment" }], /not of type/);
  refused([{ services: ["billing"] }], /not of type/);
  refused([{ type: "sallyport" }, { type: "other" }], /not of type/);
  refused([{ type: "sallyport", actions: ["read"] }], /member that is none of/);
  refused([{ type: "sallyport", __proto__x: 1 }], /member that is none of/);
});

test("parseAccessDetails() refuses members that are no lists of names", () => {
  for (const names of [[], "GET", [1], [""], ["GET", "GET"], null, ["x".repeat(321)]]) {
    refused([{ type: "sallyport", services: names }], /services is not a list/);
  }
  refused(
    [{ type: "sallyport", routes: Array.from({ length: 33 }, (_, index) => `r${index}`) }],
    /routes is not a list/,
  );
  refused([{ type: "sallyport", methods: ["get"] }], /capitals/);
});

test("parseAccessDetails() refuses more than its bounds", () => {
  const entry = { type: "sallyport" };
  refused(
    Array.from({ length: 17 }, () => entry),
    /more than 16/,
  );
  const long = Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(200, "x"));
  refused([{ ...entry, operations: long }], /longer than 4096/);
});
