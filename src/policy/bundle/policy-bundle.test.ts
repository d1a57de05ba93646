import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import * as fc from "fast-check";
import { SallyportError } from "../../model/errors.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { decodePolicyBundle, encodePolicyBundle, type PolicyBundle } from "./policy-bundle.ts";

const names = fc.constantFrom("long", "$", "a", "__proto__x");
const values = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.array(fc.string({ unit: "grapheme" }), { maxLength: 3 }),
);
const sources = fc.record({
  files: fc.array(
    fc.record({ name: fc.string({ unit: "grapheme" }), text: fc.string({ unit: "grapheme" }) }),
  ),
  vocabulary: fc.dictionary(names, values).map((attributes): Vocabulary => ({
    authenticators: [],
    services: [{ name: "s", attributes }],
    routes: [],
  })),
});

test("decodePolicyBundle() gives back what was encoded, 64-bit integers included", () => {
  fc.assert(
    fc.property(sources, (source) => {
      const bundle = encodePolicyBundle(source);
      const decoded = decodePolicyBundle(bundle);
      assert.deepEqual(encodePolicyBundle(decoded), bundle);
      assert.deepEqual(
        decoded.files,
        source.files.map((file) => ({ ...file })),
      );
      assert.deepEqual(
        { ...decoded.vocabulary.services[0]?.attributes },
        { ...source.vocabulary.services[0]?.attributes },
      );
    }),
  );
});

test("decodePolicyBundle() refuses other bytes, and bytes that are no bundle", () => {
  const { hash, bytes } = encodePolicyBundle({
    files: [],
    vocabulary: { authenticators: [], services: [], routes: [] },
  });
  const changed = Uint8Array.from(bytes, (byte, index) => (index === 5 ? byte ^ 1 : byte));
  const refused = (error: unknown): boolean =>
    error instanceof SallyportError && error.code === "policy-invalid";
  assert.throws(() => decodePolicyBundle({ hash, bytes: changed }), refused);
  assert.throws(() => decodePolicyBundle({ hash: `${hash}x`, bytes }), refused);
  const other = encodePolicyBundle({ files: [], vocabulary: [] as unknown as Vocabulary });
  assert.throws(() => decodePolicyBundle(other), refused);
});

test("decodePolicyBundle() refuses what has the hash and not the shape", () => {
  const bundleOf = (value: unknown): PolicyBundle => {
    const bytes = Buffer.from(JSON.stringify(value));
    return { hash: `sha256-${createHash("sha256").update(bytes).digest("base64url")}`, bytes };
  };
  const good = { format: 1, files: [{ name: "a.cedar", text: "" }], vocabulary: { routes: [] } };
  assert.deepEqual(decodePolicyBundle(bundleOf(good)).files, good.files);
  for (const bad of [
    null,
    [],
    { ...good, format: 2 },
    { ...good, format: "1" },
    { ...good, more: 1 },
    { format: 1, files: [] },
    { ...good, vocabulary: [] },
    { ...good, vocabulary: null },
    { ...good, files: {} },
    { ...good, files: ["a.cedar"] },
    { ...good, files: [{ name: "a.cedar" }] },
    { ...good, files: [{ name: "a.cedar", text: 1 }] },
    { ...good, files: [{ name: 1, text: "" }] },
    { ...good, files: [{ name: "a.cedar", text: "", more: 1 }] },
  ]) {
    assert.throws(() => decodePolicyBundle(bundleOf(bad)), /none that this version knows/);
  }
});
