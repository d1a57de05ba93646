import { test } from "node:test";
import assert from "node:assert/strict";
import { policyOptionsSchema } from "./policy-options.ts";

const KEYS = ["signing.pub.pem"];

void test("policyOptionsSchema takes policies from one place", () => {
  const { enforce, tests, insecureIgnoreFailingTests } = policyOptionsSchema.parse({
    enforce: ["policies"],
  });
  assert.deepEqual([enforce, tests, insecureIgnoreFailingTests], [["policies"], [], false]);
  for (const right of [
    { enforce: ["a"], tests: ["b"] },
    { bundle: { file: "gate.json" } },
    { bundle: { url: "https://x.example/p", keys: KEYS } },
    { bundle: { url: "http://127.0.0.1:1/p", insecureUnsigned: true } },
  ]) {
    assert.equal(policyOptionsSchema.safeParse(right).success, true, JSON.stringify(right));
  }
  for (const wrong of [
    {},
    { enforce: [] },
    { enforce: [""] },
    { enforce: ["a"], bundle: { file: "gate.json" } },
    { bundle: { file: "gate.json" }, tests: ["b"] },
    { bundle: {} },
    { bundle: { file: "gate.json", url: "https://x.example/p", keys: KEYS } },
    { bundle: { url: "https://x.example/p" } },
    { bundle: { url: "https://x.example/p", keys: [] } },
    { bundle: { url: "http://x.example/p", keys: KEYS } },
    { bundle: { file: "gate.json", keys: KEYS, insecureUnsigned: true } },
  ]) {
    assert.equal(policyOptionsSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
