import assert from "node:assert/strict";
import { test } from "node:test";
import { expand } from "./expand.ts";

const SECRET = "canary-s3cret";

function expandWith(value: unknown) {
  return expand(value, {
    env: { NAME: "world", SECRET, EMPTY: "", PORT: "80" },
    readFile: (path) => {
      if (path === "key") return `${SECRET}\n`;
      if (path === "blank") return "\n";
      if (path === "large") return "x".repeat(70_000);
      throw Object.assign(new Error("gone"), { code: "ENOENT" });
    },
  });
}

test("expand() replaces expressions in texts, however deep, and keeps other values", () => {
  const { value, problems, files } = expandWith({
    a: "hello ${env:NAME}:${env:PORT}",
    b: ["${file:key}", 1, true, null, 5n],
    "${env:NAME}": { c: "$${env:NAME} costs $5" },
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(value, {
    a: "hello world:80",
    b: [SECRET, 1, true, null, 5n],
    "${env:NAME}": { c: "${env:NAME} costs $5" },
  });
  assert.deepEqual(files, [{ path: ["b", 0], file: "key" }]);
});

test("expand() does not expand what it has put in", () => {
  const { value } = expand("${env:A}", { env: { A: "${env:B}", B: "x" }, readFile: () => "" });
  assert.equal(value, "${env:B}");
});

test("expand() names what is missing at its place", () => {
  const cases: [text: string, message: RegExp][] = [
    ["${env:GONE}", /GONE is not set/],
    ["${env:EMPTY}", /EMPTY is empty/],
    ["${file:gone}", /"gone" cannot be read \(ENOENT\)/],
    ["${file:blank}", /"blank" is empty/],
    ["${file:large}", /"large" is too large/],
    ["${NAME}", /not an expression/],
    ["${env:}", /not an expression/],
    ["${env:A-B}", /not an expression/],
    ["${vault:x}", /not an expression/],
    ["${env:NAME", /not an expression/],
  ];
  for (const [text, message] of cases) {
    const { problems } = expandWith({ deep: [text] });
    assert.equal(problems.length, 1, text);
    assert.deepEqual(problems[0]?.path, ["deep", 0]);
    assert.match(problems[0]?.message ?? "", message);
  }
});

test("expand() takes what it has put in out of any text", () => {
  const { redact } = expandWith(["${env:SECRET}", "${env:PORT}"]);
  assert.equal(redact(`cannot be "${SECRET}" on 80`), 'cannot be "${env:SECRET}" on 80');
});

test("expand() leaves placeholders to templates, and nothing that it puts in becomes one", () => {
  const sources = {
    env: { A: "${principal.subject}", B: "b$", C: "{principal.subject}", D: "$$" },
    readFile: () => "",
    isTemplated: ([name]: readonly (string | number)[]) => name === "t",
  };
  const text = (t: string): unknown => expand({ t }, sources).value;
  assert.deepEqual(text("${principal.subject} $${x}"), { t: "${principal.subject} $${x}" });
  assert.deepEqual(text("${env:A}"), { t: "$${principal.subject}" });
  assert.deepEqual(text("${env:B}{decision}"), { t: "b$${decision}" });
  assert.deepEqual(text("${env:B}${env:C}"), { t: "b$${principal.subject}" });
  assert.deepEqual(text("${env:D}${env:C}"), { t: "$$${principal.subject}" });
  assert.match(
    expand({ t: "${env:B}${decision}" }, sources).problems[0]?.message ?? "",
    /ends in '\$'/,
  );
});

test("expand() refuses placeholders where no template stands", () => {
  const { problems } = expand(
    { other: "${principal.subject}" },
    { env: {}, readFile: () => "", isTemplated: () => false },
  );
  assert.match(problems[0]?.message ?? "", /not an expression/);
});
