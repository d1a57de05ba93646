/**
 * The list in http2.md names, for each rule that a server or client of HTTP/2 can break, the tests
 * that fail when it is broken. This holds the list to the tests: each that is named exists, and each
 * case of the conformance files is named.
 */
import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";

interface Row {
  readonly section: string;
  readonly rule: string;
  /** `file` from the root of the repository, and a name in it as it is written there. */
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const rows = readList(readFileSync(`${root}/test/conformance/http2.md`, "utf8"));

/** Whose every test is to stand in the list. */
const LISTED = ["frames", "streams", "flow", "messages", "client", "connect", "tls"].map(
  (name) => `test/conformance/http2-${name}.test.ts`,
);

test("http2.md has rows of both RFC 9113 and RFC 7541, each with its rule and a test", () => {
  assert.ok(rows.length > 100, `${rows.length} rows`);
  for (const { section, rule, tests } of rows) {
    assert.match(section, /^(?:[0-9A-C]+(?:\.[0-9]+)*)$/, rule);
    assert.ok(tests.length > 0, `${section}: ${rule}`);
  }
});

test("each test that http2.md names exists", () => {
  const missing = rows
    .flatMap(({ tests }) => tests)
    .filter(({ file, name }) => !namesIn(file).has(name))
    .map(({ file, name }) => `${file}: ${name}`);
  assert.deepEqual(missing, []);
});

test("each conformance test stands in http2.md", () => {
  const named = new Set(rows.flatMap(({ tests }) => tests).map(({ name }) => name));
  const absent = LISTED.filter((file) => existsSync(`${root}/${file}`)).flatMap((file) =>
    [...titlesIn(file)].filter((title) => !named.has(title)).map((title) => `${file}: ${title}`),
  );
  assert.deepEqual(absent, []);
});

/** Rows of `| section | rule | tests |`; a cell of tests is `` `file`: name ``, several by `<br>`. */
function readList(text: string): Row[] {
  const found: Row[] = [];
  let file = "";
  for (const line of text.split("\n")) {
    const heading = /^Tests in `([^`]+)`/.exec(line);
    if (heading !== null) file = heading[1] ?? "";
    const cells = /^\| *([0-9A-C][^|]*?) *\| *(.*?) *\| *(.*?) *\|$/.exec(line);
    if (cells === null) continue;
    const [, section = "", rule = "", named = ""] = cells;
    const tests = named
      .split("<br>")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "")
      .map((entry) => {
        const parts = /^`([^`]+)`: (.*)$/.exec(entry);
        return parts === null
          ? { file, name: entry }
          : { file: parts[1] ?? "", name: parts[2] ?? "" };
      });
    found.push({ section, rule, tests });
  }
  return found;
}

/** Every string literal of a file, which is where names of tests stand, in tables of cases too. */
function namesIn(file: string): ReadonlySet<string> {
  const text = sourceOf(file);
  return new Set(
    [...text.matchAll(/"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)].map(
      ([, quoted, templated]) => quoted ?? templated ?? "",
    ),
  );
}

/** Titles of `test("…")` and the names that begin a case of a table. */
function titlesIn(file: string): ReadonlySet<string> {
  const text = sourceOf(file);
  const titles = [...text.matchAll(/^test\(\s*"([^"]+)"|^ {2}\[\s*"([^"]+)",/gm)];
  return new Set(titles.map(([, title, first]) => title ?? first ?? ""));
}

const sources = new Map<string, string>();

function sourceOf(file: string): string {
  let text = sources.get(file);
  if (text === undefined) {
    assert.ok(existsSync(`${root}/${file}`), `${file} is not there`);
    text = readFileSync(`${root}/${file}`, "utf8");
    sources.set(file, text);
  }
  return text;
}
