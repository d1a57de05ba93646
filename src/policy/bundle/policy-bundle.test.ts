import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { SallyportError } from "../../model/errors.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { decodePolicyBundle, encodePolicyBundle } from "./policy-bundle.ts";

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
