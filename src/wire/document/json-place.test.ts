import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { locateJson } from "./json-place.ts";
import { locate, type Path } from "./place.ts";
import { parseYaml } from "./yaml.ts";

test("locateJson() finds keys, items, and the closest parent of what is absent", () => {
  const text = '{ "a": [1, {"b\\"c": "}]"}, []], "d": {} }';
  assert.equal(text.slice(locateJson(text, ["a"])).slice(0, 3), '"a"');
  assert.equal(text.slice(locateJson(text, ["a", 1])).slice(0, 2), '{"');
  assert.equal(text.slice(locateJson(text, ["a", 1, 'b"c'])).slice(0, 6), '"b\\"c"');
  assert.equal(text.slice(locateJson(text, ["a", 2])).slice(0, 2), "[]");
  assert.equal(text.slice(locateJson(text, ["a", 9])).slice(0, 3), '"a"');
  assert.equal(text.slice(locateJson(text, ["d", "gone", 0])).slice(0, 3), '"d"');
  assert.equal(locateJson(text, ["gone"]), 0);
  assert.equal(locateJson("  1", ["a"]), 2);
});

test("locateJson() gives the places that the reader of YAML gives for the same text", () => {
  const paths = (value: unknown, at: Path): Path[] => {
    if (typeof value !== "object" || value === null) return [at];
    const steps = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    return [at, ...steps.flatMap(([step, child]) => paths(child, [...at, step]))];
  };
  const texts = fc.string({ unit: "grapheme-ascii" });
  const values = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, texts, fc.integer(), fc.boolean(), tie("list"), tie("map")),
    list: fc.array(tie("value"), { maxLength: 4 }),
    map: fc.dictionary(
      texts.filter((name) => name !== "<<" && name !== "__proto__"),
      tie("value"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  })).map;
  fc.assert(
    fc.property(values, fc.constantFrom(0, 1, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const { place, problems } = parseYaml(text);
      assert.deepEqual(problems, []);
      for (const path of paths(value, [])) {
        assert.equal(
          locateJson(text, path),
          locate(place, path),
          `${text} ${JSON.stringify(path)}`,
        );
      }
    }),
    { numRuns: 200 },
  );
});
