import assert from "node:assert/strict";
import { test } from "node:test";
import { createNoteKey } from "../../../test/witness-server.ts";
import { witnessesSchema } from "./witness-options.ts";

const key = createNoteKey("witness.example", 4).vkey;
const tlog = { type: "tlog-witness", name: "one", url: "https://witness.example/x", key };
const hook = { type: "webhook", name: "two", url: "https://hook.example/x?y" };
const store = { type: "object-store", name: "three", url: "http://127.0.0.1:9000/bucket" };

test("witnessesSchema takes each kind, and fills in what is left out", () => {
  const [one, two, three] = witnessesSchema.parse([
    tlog,
    { ...hook, headers: { authorization: "Bearer x" } },
    store,
  ]);
  assert.deepEqual(one, { ...tlog, insecureHttp: false });
  assert.deepEqual(two, { ...hook, headers: { authorization: "Bearer x" }, insecureHttp: false });
  assert.deepEqual(three, { ...store, headers: {}, insecureHttp: false });
  assert.ok(
    witnessesSchema.safeParse([{ ...hook, url: "http://hook.example", insecureHttp: true }])
      .success,
  );
});

test("witnessesSchema refuses what could not be witnessed, or would be overheard", () => {
  const refused: readonly unknown[] = [
    { ...tlog, type: "other" },
    { ...tlog, key: createNoteKey("log.example", 1).vkey },
    { ...tlog, key: undefined },
    { ...tlog, headers: {} },
    { ...tlog, url: "http://witness.example/x" },
    { ...hook, url: "http://hook.example" },
    { ...store, url: "http://store.example" },
    { ...hook, url: "ftp://hook.example" },
    { ...hook, url: "https://user:word@hook.example" },
    { ...hook, name: undefined },
    { ...hook, name: "No Name" },
    { ...hook, key },
    { ...hook, headers: { Authorization: "x" } },
    { ...hook, headers: { host: "x" } },
    { ...hook, headers: { "idempotency-key": "x" } },
    { ...hook, headers: { "content-length": "0" } },
    { ...hook, headers: { x: "a\r\nb: c" } },
    { ...hook, headers: { x: "" } },
    { ...hook, extra: 1 },
  ];
  for (const each of refused) {
    assert.equal(witnessesSchema.safeParse([each]).success, false, JSON.stringify(each));
  }
  assert.equal(witnessesSchema.safeParse([tlog, { ...hook, name: "one" }]).success, false);
  const many = Array.from({ length: 17 }, (_, index) => ({ ...hook, name: `w${index}` }));
  assert.equal(witnessesSchema.safeParse(many).success, false);
});
