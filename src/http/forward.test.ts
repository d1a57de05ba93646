import assert from "node:assert/strict";
import { test } from "node:test";
import { Loopback } from "./loopback.fixture.ts";

const GET = "GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n";

test("a request and its answer pass through, and both connections are kept", async () => {
  await using proxy = await new Loopback().start();
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  assert.equal(await service.until("\r\n\r\n"), "GET /a?b=1 HTTP/1.1\r\nhost: x\r\n\r\n");
  service.send("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\n\r\nhi");
  assert.equal(
    await caller.until("hi"),
    "HTTP/1.1 200 OK\r\ndate: d\r\ncontent-length: 2\r\n\r\nhi",
  );
  caller.send(GET);
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 204 No Content\r\n\r\n");
  await caller.until("HTTP/1.1 204 No Content\r\n");
  assert.deepEqual(
    proxy.outcomes.map((outcome) => [outcome.status, outcome.end, outcome.responseBytes]),
    [
      [200, "complete", 2],
      [204, "complete", 0],
    ],
  );
  assert.equal(proxy.service.connections.length, 1);
});
