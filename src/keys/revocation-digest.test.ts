import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import type { RevocationTarget } from "../model/revocation.ts";
import { digestTarget, readDigest, revocationDigest } from "./revocation-digest.ts";

test("revocationDigest() is 16 bytes of SHA-256 over the target's canonical text", () => {
  const cases: [target: RevocationTarget, text: string][] = [
    [{ kind: "id", authenticator: "corp", id: "a-1" }, "revocation/1 id 4:corp3:a-1"],
    [{ kind: "subject", authenticator: "corp", subject: "é" }, "revocation/1 subject 4:corp1:é"],
    [{ kind: "authenticator", authenticator: "corp" }, "revocation/1 authenticator 4:corp"],
    [{ kind: "service", service: "billing" }, "revocation/1 service 7:billing"],
  ];
  for (const [target, text] of cases) {
    const bytes = Buffer.from(hash("sha256", text, "hex"), "hex").subarray(0, 16);
    assert.equal(revocationDigest(target), bytes.toString("base64url"), text);
  }
});

test("revocationDigest() tells targets apart that would read the same side by side", () => {
  const alike: RevocationTarget[] = [
    { kind: "subject", authenticator: "a", subject: "b/c" },
    { kind: "subject", authenticator: "a/b", subject: "c" },
    { kind: "subject", authenticator: "a1:b", subject: "c" },
    { kind: "subject", authenticator: "a", subject: "1:b/c" },
    { kind: "id", authenticator: "a", id: "b/c" },
    { kind: "service", service: "a" },
    { kind: "authenticator", authenticator: "a" },
    // In UTF-8 all lone surrogates are the same three bytes, and so is the sign that stands for them.
    { kind: "id", authenticator: "a", id: "\ud800" },
    { kind: "id", authenticator: "a", id: "\udc00" },
    { kind: "id", authenticator: "a", id: "\ufffd" },
    { kind: "id", authenticator: "a", id: '"\\ud800"' },
  ];
  assert.equal(new Set(alike.map(revocationDigest)).size, alike.length);
});

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom("a", ":", "1", " ", "~", '"', "\ud800"), maxLength: 6 }),
);
const anyTarget: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant("id" as const), authenticator: anyText, id: anyText }),
  fc.record({ kind: fc.constant("subject" as const), authenticator: anyText, subject: anyText }),
  fc.record({ kind: fc.constant("authenticator" as const), authenticator: anyText }),
  fc.record({ kind: fc.constant("service" as const), service: anyText }),
);

test("revocationDigest() of two targets is the same only for the same target", () => {
  fc.assert(
    fc.property(anyTarget, anyTarget, (one, other) => {
      const same = JSON.stringify(Object.entries(one)) === JSON.stringify(Object.entries(other));
      assert.equal(revocationDigest(one) === revocationDigest(other), same);
    }),
  );
});

test("readDigest() reads the words that digestTarget() writes, and Buffer's", () => {
  fc.assert(
    fc.property(anyTarget, (target) => {
      const text = revocationDigest(target);
      const read = new Uint32Array(6);
      assert.ok(readDigest(text, read, 1));
      const written = new Uint32Array(6);
      digestTarget(target, written, 1);
      assert.deepEqual(read, written);
      const bytes = Buffer.from(text, "base64url");
      const words = [0, 4, 8, 12].map((at) => bytes.readUInt32BE(at));
      assert.deepEqual([...read], [0, ...words, 0]);
    }),
  );
});

test("readDigest() refuses what is no digest, and second spellings of one", () => {
  const good = "A".repeat(22);
  const words = new Uint32Array(4);
  assert.ok(readDigest(good, words, 0));
  for (const bad of [
    "",
    "A".repeat(21),
    "A".repeat(23),
    `${"A".repeat(21)}B`,
    `${"A".repeat(21)}=`,
    `+${"A".repeat(21)}`,
    `é${"A".repeat(21)}`,
    `${"A".repeat(20)} A`,
  ]) {
    assert.equal(readDigest(bad, words, 0), false, JSON.stringify(bad));
  }
});
