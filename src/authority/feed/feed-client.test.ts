import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, nat, property, string } from "fast-check";
import { LineSplitter, problemText } from "./feed-client.ts";
import { FRAME_LIMITS } from "./feed-frames.ts";
import { FeedRefusal } from "./feed-refusal.ts";

test("LineSplitter gives the same lines however the bytes are cut", () => {
  const line = string({ maxLength: 12 }).map((text) => text.replaceAll("\n", ""));
  check(
    property(array(line), array(nat(20)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(""));
      const found: string[] = [];
      const splitter = new LineSplitter((one) => found.push(String(one)));
      let at = 0;
      for (const cut of cuts) {
        splitter.take(bytes.subarray(at, at + cut));
        at += cut;
      }
      splitter.take(bytes.subarray(at));
      assert.deepEqual(found, lines);
      assert.equal(splitter.empty, true);
    }),
  );
});

test("LineSplitter refuses a line that is longer than any frame, before it holds more", () => {
  const splitter = new LineSplitter(() => assert.fail("no line was ended"));
  const piece = Buffer.alloc(FRAME_LIMITS.line / 2, "a");
  splitter.take(piece);
  splitter.take(piece);
  assert.equal(splitter.empty, false);
  assert.throws(
    () => splitter.take(Buffer.from("a")),
    (error) => error instanceof FeedRefusal && error.reason === "too-large",
  );
});

test("problemText() has a next step for each way not to be let in, and repeats nothing else", () => {
  for (const [code, step] of [
    ["disabled", /workloads enable NAME/],
    ["not-a-proxy", /--kind proxy/],
    ["unknown", /workloads enrol NAME --kind proxy/],
    ["superseded", /workloads re-enrol NAME/],
    ["missing-certificate", /end TLS/],
  ] as const) {
    const said = problemText(403, JSON.stringify({ code }));
    assert.ok(said.startsWith(`it answers 403 (${code}): `));
    assert.match(said, step);
  }
  assert.equal(problemText(503, '{"code":"slow-down"}'), "it answers 503 (slow-down)");
  for (const text of ["", "null", "<html>", "{}", '{"code":7}', '{"code":"a\\nline"}']) {
    assert.equal(problemText(502, text), "it answers 502");
  }
});
