import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readBasic } from "./client-basic.ts";
import { readForm } from "./form.ts";
import { TokenFault } from "./token-fault.ts";

const texts = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  // oxlint-disable-next-line no-control-regex -- they are refused, which another test is about
  .filter((text) => !/[\0-\x1f\x7f]/.test(text));

test("readForm() reads what URLSearchParams writes, each name once", () => {
  fc.assert(
    fc.property(fc.dictionary(texts, texts, { maxKeys: 20 }), (given) => {
      const form = readForm(Buffer.from(new URLSearchParams(given).toString()));
      assert.ok(!(form instanceof TokenFault));
      for (const [name, value] of Object.entries(given)) assert.equal(form.one(name), value);
    }),
  );
});

test("readForm() takes any bytes without throwing, and never two values for one name", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({
      unit: fc.constantFrom("a", "b", "=", "&", "%", "+", "4", "1", "\0", "é"),
      maxLength: 60,
    }),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      const form = readForm(Buffer.from(given as Uint8Array));
      if (form instanceof TokenFault) assert.equal(form.error, "invalid_request");
      else for (const name of ["a", "b", "ab", ""]) assert.ok(form.all(name).length <= 1);
    }),
  );
});

test("readBasic() reads what RFC 6749 section 2.3.1 writes, and nothing of what is not that", () => {
  fc.assert(
    fc.property(texts, texts, (id, secret) => {
      const part = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2);
      const token = Buffer.from(`${part(id)}:${part(secret)}`).toString("base64");
      assert.deepEqual(readBasic(token), { id, secret });
    }),
  );
  for (const bad of ["", "====", "YWJj", "Ojo=", "YTo=", "OmE=", "YTpi\n", "YQ:Yg", "YTrDqQ=="]) {
    assert.equal(readBasic(bad), undefined, bad);
  }
});
