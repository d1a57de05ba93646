import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { assert as check, property, string, uint8Array } from "fast-check";
import { createKek, createSealer, looksSealed, sealContext } from "./seal.ts";

const OLD = createKek(Buffer.alloc(32, 1));
const NEW = createKek(Buffer.alloc(32, 2));
const FAILED = { code: "key-encryption-failed" };
const PLACE = sealContext("signing-keys", "k1", "private");

test("createSealer() opens what it sealed, in its place only", () => {
  const sealer = createSealer({ current: NEW, previous: [] });
  check(
    property(uint8Array({ maxLength: 200 }), string(), (plain, context) => {
      const sealed = sealer.seal(plain, context);
      assert.ok(looksSealed(sealed));
      assert.deepEqual(new Uint8Array(sealer.open(sealed, context)), plain);
      assert.throws(() => sealer.open(sealed, `${context}x`), FAILED);
    }),
  );
});

test("createSealer() seals the same secret differently each time", () => {
  const sealer = createSealer({ current: NEW, previous: [] });
  const texts = Array.from({ length: 100 }, () => sealer.seal(Buffer.from("same"), PLACE));
  assert.equal(new Set(texts).size, 100);
  assert.ok(texts.every((text) => !text.includes(Buffer.from("same").toString("base64url"))));
});

test("createSealer() refuses a text of which any character was changed", () => {
  const sealer = createSealer({ current: NEW, previous: [] });
  const sealed = sealer.seal(Buffer.from("secret"), PLACE);
  for (let at = 0; at < sealed.length; at += 1) {
    const other = sealed[at] === "A" ? "B" : "A";
    const changed = `${sealed.slice(0, at)}${other}${sealed.slice(at + 1)}`;
    assert.throws(() => sealer.open(changed, PLACE), FAILED, changed);
    assert.throws(() => sealer.open(sealed.slice(0, at), PLACE), FAILED);
  }
});

test("createSealer() opens what a previous key sealed, and tells it from what is current", () => {
  const before = createSealer({ current: OLD, previous: [] });
  const after = createSealer({ current: NEW, previous: [OLD] });
  const sealed = before.seal(Buffer.from("secret"), PLACE);
  assert.equal(after.open(sealed, PLACE).toString(), "secret");
  assert.equal(before.isCurrent(sealed), true);
  assert.equal(after.isCurrent(sealed), false);
  assert.equal(after.isCurrent(after.seal(Buffer.from("secret"), PLACE)), true);
  assert.equal(after.isCurrent("not sealed"), false);
});

test("createSealer() says which key is missing", () => {
  const sealed = createSealer({ current: OLD, previous: [] }).seal(Buffer.from("secret"), PLACE);
  const without = createSealer({ current: NEW, previous: [] });
  assert.throws(
    () => without.open(sealed, PLACE),
    (error: Error) => error.message.includes(OLD.id) && error.message.includes(NEW.id),
  );
});

test("createSealer() does not open a text under the id of another key", () => {
  const both = createSealer({ current: NEW, previous: [OLD] });
  const sealed = both.seal(Buffer.from("secret"), PLACE).replace(NEW.id, OLD.id);
  assert.throws(() => both.open(sealed, PLACE), FAILED);
});

test("createKek() takes 32 bytes, and shows none of them", () => {
  for (const length of [0, 16, 31, 33, 64]) {
    assert.throws(() => createKek(Buffer.alloc(length)), FAILED);
  }
  const bytes = Buffer.from("0123456789abcdef0123456789abcdef");
  const kek = createKek(bytes);
  assert.notEqual(kek.id, NEW.id);
  assert.equal(createKek(bytes).id, kek.id);
  const shown = `${inspect(kek, { depth: 9, showHidden: true })}${JSON.stringify(kek)}`;
  for (const form of ["utf8", "hex", "base64url"] as const) {
    assert.ok(!shown.includes(bytes.toString(form)));
  }
});
