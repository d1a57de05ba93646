import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readStepUp, stepUpOf } from "./step-up.ts";

test("readStepUp() reads contexts and an age, or either", () => {
  assert.deepEqual(readStepUp("acr=gold,silver max_age=300"), {
    acrValues: ["gold", "silver"],
    maxAgeSeconds: 300,
  });
  assert.deepEqual(readStepUp("  max_age=0 "), { acrValues: [], maxAgeSeconds: 0 });
  assert.deepEqual(readStepUp("acr=urn:example:a=b"), {
    acrValues: ["urn:example:a=b"],
    maxAgeSeconds: undefined,
  });
});

for (const text of [
  "",
  " ",
  "gold",
  "acr",
  "acr=",
  "acr=gold,",
  'acr=go"ld',
  "acr=go\\ld",
  "acr=gold\r\nx",
  "acr=gold\tx",
  "acr=gøld",
  `acr=${"x".repeat(257)}`,
  `acr=${Array.from({ length: 9 }, (_, index) => index).join(",")}`,
  "acr=a acr=b",
  "max_age=",
  "max_age=-1",
  "max_age=1.5",
  "max_age=05",
  "max_age=5m",
  "max_age=123456789",
  "max_age=1 max_age=2",
  "acr=gold prompt=login",
  "ACR=gold",
  "=gold",
]) {
  test(`readStepUp() does not guess what ${JSON.stringify(text).slice(0, 40)} means`, () => {
    assert.equal(readStepUp(text), undefined);
  });
}

test("readStepUp() gives nothing that a quoted-string would have to escape", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const acr of readStepUp(`acr=${text}`)?.acrValues ?? []) {
        assert.match(acr, /^[\x21\x23-\x5b\x5d-\x7e]+$/);
      }
    }),
  );
});

const one = (acrValues: readonly string[], maxAgeSeconds?: number) => ({
  stepUp: { acrValues, maxAgeSeconds },
});

test("stepUpOf() asks for one login that overcomes all of them", () => {
  assert.deepEqual(stepUpOf([one(["a", "b"], 300), one(["b", "c"]), one([], 60)]), {
    acrValues: ["b"],
    maxAgeSeconds: 60,
  });
  // Where there is none, for what the first wants: the next round asks for the other.
  assert.deepEqual(stepUpOf([one(["a"]), one(["b"])]), {
    acrValues: ["a"],
    maxAgeSeconds: undefined,
  });
});

test("stepUpOf() says nothing where one of them asks for no login, or none forbids", () => {
  assert.equal(stepUpOf([one(["a"]), { stepUp: undefined }]), undefined);
  assert.equal(stepUpOf([]), undefined);
});
