import assert from "node:assert/strict";
import { test } from "node:test";
import { lineIndex, locate } from "./place.ts";
import { parseYaml } from "./yaml.ts";

/** `line:column message` of each problem. */
function problems(text: string): string[] {
  const at = lineIndex(text);
  return parseYaml(text).problems.map(({ offset, message, remedy }) => {
    const { line, column } = at(offset);
    return [`${line}:${column}`, message, remedy].filter((part) => part !== undefined).join(" ");
  });
}

test("parseYaml() gives plain values and the place of each", () => {
  const text = "a: 1\nlist:\n  - name: x\n    on: yes\n  - {b: true, c: null}\n";
  const { value, place, problems: none } = parseYaml(text);
  assert.deepEqual(none, []);
  assert.deepEqual(value, {
    a: 1,
    list: [
      { name: "x", on: "yes" },
      { b: true, c: null },
    ],
  });
  const at = lineIndex(text);
  assert.deepEqual(at(locate(place, ["list", 0, "on"])), { line: 4, column: 5 });
  assert.deepEqual(at(locate(place, ["list", 1, "c"])), { line: 5, column: 15 });
  assert.deepEqual(at(locate(place, ["list", 1, "absent"])), { line: 5, column: 5 });
});

test("parseYaml() keeps integers beyond 2^53", () => {
  const { value } = parseYaml("a: 9007199254740993\nb: 9007199254740991\nc: 1.5\nd: 0x10\n");
  assert.deepEqual(value, { a: 9007199254740993n, b: 9007199254740991, c: 1.5, d: 16 });
});

test("parseYaml() unfolds aliases and shows problems in them where the alias stands", () => {
  const text = "base: &b {x: 1}\nuse: *b\n";
  const { value, place } = parseYaml(text);
  assert.deepEqual(value, { base: { x: 1 }, use: { x: 1 } });
  assert.deepEqual(lineIndex(text)(locate(place, ["use"])), { line: 2, column: 1 });
});

test("parseYaml() refuses what can be read in two ways or not at all, at its place", () => {
  assert.match(problems("a: 1\nb: 2\na: 3\n")[0] ?? "", /^3:1 the key "a" is there twice each key/);
  assert.match(problems("a:\n\tb: 1\n").join("\n"), /^2:1 .*[Tt]abs.* spaces, not tabs$/);
  assert.equal(problems("a:\n  b:\n\tc: d\n    e: f\n  g: h\ni: j\n").length, 1);
  assert.match(problems("a: 1\n---\nb: 1\n")[0] ?? "", /^2:\d a second YAML document/);
  assert.match(problems("1: x\n")[0] ?? "", /^1:1 this key is not text/);
  assert.match(problems("? [a]\n: x\n")[0] ?? "", /^1:3 this key is not text/);
  assert.match(problems("x: &a {b: 1}\ny:\n  <<: *a\n")[0] ?? "", /^3:3 the key "<<"/);
  assert.match(problems("__proto__: {}\n")[0] ?? "", /^1:1 the key "__proto__"/);
  assert.match(problems("a: !secret x\n")[0] ?? "", /^1:4 Unresolved tag/);
  assert.match(problems("a: *gone\n")[0] ?? "", /^1:4 the alias \*gone refers to nothing/);
  assert.match(problems("a: {s: ${env:X}}\n")[0] ?? "", /quotes around it/);
  assert.equal(problems("a: {s: ${env:X}, t: 1}\nb: 2\nc: {d: 3}\n").length, 1);
  for (const text of ['a: "x\nb: 1\nc: 2\n', "a: 'x\nb: 1\n", 'a: "x\nb: "y"\n']) {
    const [problem = "", ...more] = problems(text);
    assert.match(problem, /^1:4 Missing closing ["']quote a closing one, on this line$/, text);
    assert.deepEqual(more, [], text);
  }
  assert.deepEqual(problems('a: {b: "x, c: 1}\nd: 1\n').length, 1);
  assert.match(problems("")[0] ?? "", /^1:1 the file is empty begin with: version: 1$/);
  assert.match(problems("# nothing\n")[0] ?? "", /the file is empty/);
});

test("parseYaml() refuses an alias inside itself, alias bombs and deep nesting", () => {
  assert.match(problems("a: &x [*x]\n")[0] ?? "", /^1:8 the alias \*x stands inside/);
  const bomb = Array.from({ length: 12 }, (_, level) =>
    level === 0
      ? "a0: &a0 [1,1,1,1,1,1,1,1,1]"
      : `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(",")}]`,
  ).join("\n");
  assert.match(problems(bomb).join("\n"), /too large once its aliases are unfolded/);
  assert.match(problems(`a: ${"[".repeat(80)}${"]".repeat(80)}`).join("\n"), /deeper than 64/);
  assert.equal(problems(`a: ${"[".repeat(100_000)}`).length > 0, true);
});

test("parseYaml() takes many keys in time that grows with them, and refuses a repeated one among them", () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`);
  const began = performance.now();
  assert.deepEqual(problems(`${keys.join("\n")}\nk7: 2\n`), [
    '20001:1 the key "k7" is there twice each key once, with all it holds',
  ]);
  // Each key compared with all before it took half a minute.
  assert.ok(performance.now() - began < 15_000);
});

test("parseYaml() refuses more values than it was told to take", () => {
  assert.deepEqual(parseYaml("[1, 2]", { nodes: 3 }).problems, []);
  assert.match(parseYaml("[1, 2, 3]", { nodes: 3 }).problems[0]?.message ?? "", /too large/);
});
