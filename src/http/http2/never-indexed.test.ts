/**
 * What a peer wants never indexed goes on never indexed (RFC 7541 section 6.2.3): from an HTTP/2 caller
 * to an HTTP/2 service, and its answer back.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { FLAG, FRAME } from "../../wire/http2/codes.ts";
import { markNeverIndexed, neverIndexedIn } from "../../wire/never-indexed.ts";
import { started } from "./client-ground.fixture.ts";
import { Http2Peer, requestHead } from "./peer.fixture.ts";

function marked(fields: string[]): string[] {
  markNeverIndexed(fields, ["x-plan"]);
  return fields;
}

test("fields of requests and trailers go on as the caller wants them: never indexed", async () => {
  await using ground = await started();
  const caller = new Http2Peer((await ground.proxy.caller()).socket).start();
  const head = requestHead({ ":method": "POST" }, ["x-plan", "gold", "x-other", "1"]);
  // Several times, so that what may be indexed is.
  for (const id of [1, 3, 5]) {
    caller.section(id, marked([...head]), false);
    caller.section(id, marked(["x-plan", "silver"]), true);
  }
  const service = await ground.service.accepted();
  const sections: (readonly string[])[] = [];
  while (sections.length < 6) sections.push((await service.request()).fields);
  for (const fields of sections) assert.deepEqual(neverIndexedIn(fields), ["x-plan"]);
  const trailers = sections.filter((fields) => fields[0] === "x-plan");
  assert.equal(trailers.length, 3);
  for (const fields of trailers) assert.deepEqual(fields, ["x-plan", "silver"]);
});

test("fields of answers and trailers go back as the service wants them: never indexed", async () => {
  await using ground = await started();
  const caller = new Http2Peer((await ground.proxy.caller()).socket).start();
  caller.request(1);
  const service = await ground.service.accepted();
  const { id } = await service.request();
  // `:status` 200, then literals that are never indexed.
  const flags = FLAG.endHeaders;
  service.send(FRAME.headers, flags, id, Buffer.from("\x88\x10\x06x-plan\x04gold", "latin1"));
  const trailers = Buffer.from("\x10\x06x-plan\x06silver", "latin1");
  service.send(FRAME.headers, flags | FLAG.endStream, id, trailers);
  const answer = await caller.until("headers", ({ fields }) => fields.includes("gold"));
  assert.deepEqual(neverIndexedIn(answer.fields), ["x-plan"]);
  const end = await caller.until("headers", ({ fields }) => fields.includes("silver"));
  assert.deepEqual(neverIndexedIn(end.fields), ["x-plan"]);
});

test("what nobody wants never indexed is not", async () => {
  await using ground = await started();
  const caller = new Http2Peer((await ground.proxy.caller()).socket).start();
  caller.request(1, ["x-plan", "gold"]);
  const service = await ground.service.accepted();
  const { id, fields } = await service.request();
  assert.equal(fields.includes("gold"), true);
  assert.deepEqual(neverIndexedIn(fields), []);
  service.headers(id, [":status", "200", "x-plan", "gold"], true);
  const answer = await caller.until("headers");
  assert.deepEqual(neverIndexedIn(answer.fields), []);
});
