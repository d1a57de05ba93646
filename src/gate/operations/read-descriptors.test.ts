import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { createWriter, WireType } from "../../wire/protobuf.ts";
import { readDescriptors } from "./read-descriptors.ts";

type Services = readonly (readonly [name: string, methods: readonly string[]])[];

function setOf(packageName: string, services: Services): Uint8Array {
  const writer = createWriter();
  const open = (field: number) => writer.tag(field, WireType.LengthDelimited);
  open(1).fork();
  open(2).string(packageName);
  for (const [name, methods] of services) {
    open(6).fork();
    open(1).string(name);
    for (const method of methods)
      open(2).fork().tag(1, WireType.LengthDelimited).string(method).join();
    writer.join();
  }
  // `edition`, of another type, is passed over.
  writer.tag(14, WireType.Varint).int32(1000);
  return writer.join().finish();
}

void test("readDescriptors() makes each method an operation, and each service a group", () => {
  const read = readDescriptors(setOf("shop.v1", [["Orders", ["Get", "Watch"]]]));
  assert.ok("description" in read);
  assert.deepEqual(read.description.operations, [
    {
      id: "shop.v1.Orders/Get",
      method: "POST",
      path: "/shop.v1.Orders/Get",
      groups: ["shop.v1.Orders"],
      parameters: [],
    },
    {
      id: "shop.v1.Orders/Watch",
      method: "POST",
      path: "/shop.v1.Orders/Watch",
      groups: ["shop.v1.Orders"],
      parameters: [],
    },
  ]);
});

void test("readDescriptors() refuses what describes nothing, repeats itself, or is no set", () => {
  for (const [bytes, expected] of [
    [new Uint8Array(0), /no method/],
    [setOf("shop", [["Orders", []]]), /no method/],
    [setOf("shop", [["Orders", ["Get", "Get"]]]), /twice/],
    [setOf("shop", [["Orders/x", ["Get"]]]), /name that is none/],
    [setOf("shop", [["Orders", ['G"']]]), /name that is none/],
    [setOf("shop", [["Orders", ["G".repeat(200)]]]), /too long/],
    [Buffer.from("openapi: 3.1.0\n"), /no descriptor set/],
    [Buffer.from([0x08, 0x01]), /no descriptor set \(a field of another type\)/],
    [Buffer.from([0x0a, 0x7f]), /no descriptor set/],
  ] as const) {
    const read = readDescriptors(bytes);
    assert.match("fault" in read ? read.fault : "none", expected);
  }
});

void test("readDescriptors() throws for no bytes at all", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readDescriptors(bytes);
    }),
  );
});
