/**
 * A body in chunks of one byte, on a route that gathers bodies to change them. A bound on the bytes does
 * not bound the memory where each piece is kept as it came: an object, and the whole read that the piece
 * lies in, for one byte. Twenty callers with 60 KB each made the proxy larger by 130 MB, and a route with
 * a limit of 16 MiB can be made to hold gigabytes by one. A service can do the same with its answer.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { Gathered } from "../../src/http/gathered.ts";
import { arrivalsOf, statusesOf } from "../e2e/expect.ts";
import { startStage } from "../e2e/stage.ts";

test("what is gathered keeps no piece that it was given", () => {
  const gathered = new Gathered(5000);
  const piece = Buffer.alloc(1);
  for (let index = 0; index < 5000; index++) {
    piece[0] = index % 251;
    assert.ok(gathered.add(piece));
  }
  piece[0] = 255;
  const whole = gathered.take();
  assert.deepEqual(
    [...whole],
    Array.from({ length: 5000 }, (_, index) => index % 251),
  );
  assert.ok(whole.buffer.byteLength <= 5000);
});

test("beyond its bound nothing is kept, whatever still comes", () => {
  const gathered = new Gathered(10);
  assert.ok(gathered.add(Buffer.alloc(10)));
  assert.ok(!gathered.add(Buffer.alloc(1)));
  assert.ok(!gathered.add(Buffer.alloc(1)));
  assert.equal(gathered.take().length, 0);
});

const stage = await startStage({
  routes: `  - name: edited
    path: /edited
    service: recorder
    authenticate: [anonymous]
    request: { body: { remove: [/secret] } }`,
});
after(() => stage.close());

test("a body byte by byte arrives as one that is changed", async () => {
  const body = JSON.stringify({ secret: 1, kept: "x".repeat(9000) });
  const chunks = body.replaceAll(/[^]/g, "1\r\n$&\r\n");
  const fields = ["Host: api.example", "Content-Type: application/json"];
  const head = ["POST /edited HTTP/1.1", ...fields, "Transfer-Encoding: chunked", "", ""];
  const evidence = await stage.attack(`${head.join("\r\n")}${chunks}0\r\n\r\n`);
  assert.equal(statusesOf(evidence)[0], 200);
  assert.match(arrivalsOf(evidence)[0]?.body ?? "", /^\{"kept":"x{9000}"\}$/);
});
