import assert from "node:assert/strict";
import { test } from "node:test";
import { FLOODS, floodBytes, parseFloodReport } from "./flood.ts";
import type { FloodKind } from "./flood.ts";
import { FRAME, FrameSplitter, PREFACE } from "./http2-frames.ts";

/** Type and stream of each frame of the first two pieces, those of the opening left out. */
function framesOf(kind: FloodKind): [number, number][] {
  const next = floodBytes(kind, "a.b.c");
  const bytes = Buffer.concat([next(), next()]);
  assert.ok(bytes.subarray(0, PREFACE.length).equals(PREFACE));
  const seen: [number, number][] = [];
  const splitter = new FrameSplitter(({ type, stream }) => seen.push([type, stream]));
  splitter.read(bytes.subarray(PREFACE.length));
  return seen.slice(2);
}

test("floodBytes() makes requests that are each reset at once, on streams that rise", () => {
  const frames = framesOf("rapid-reset");
  frames.forEach(([type, stream], index) => {
    assert.equal(type, index % 2 === 0 ? FRAME.headers : FRAME.rstStream);
    assert.equal(stream, 2 * (index >> 1) + 1);
  });
  assert.ok(frames.length >= 1000);
});

test("floodBytes() makes pings alone, and one head that never ends", () => {
  assert.ok(framesOf("ping").every(([type, stream]) => type === FRAME.ping && stream === 0));
  const [head, ...rest] = framesOf("continuation");
  assert.deepEqual(head, [FRAME.headers, 1]);
  assert.ok(rest.length > 500);
  assert.ok(rest.every(([type, stream]) => type === FRAME.continuation && stream === 1));
});

test("parseFloodReport() throws when there is no report", () => {
  assert.deepEqual(parseFloodReport('x\nsallyport-flood {"connections":2,"bytes":9}\n'), {
    connections: 2,
    bytes: 9,
  });
  assert.throws(() => parseFloodReport("x"), /did not report/);
  assert.equal(FLOODS.length, 3);
});
