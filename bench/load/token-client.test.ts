import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { answerEnd, answerStatus, sendTokens } from "./token-client.ts";

const HEAD = "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nServer: x\r\n\r\n";

test("answerEnd() waits for the whole body and leaves what follows it", () => {
  assert.equal(answerEnd("HTTP/1.1 403"), undefined);
  assert.equal(answerEnd(`${HEAD}ab`), undefined);
  assert.equal(answerEnd(`${HEAD}abcHTTP`), HEAD.length + 3);
  assert.equal(answerStatus(HEAD), 403);
  assert.throws(() => answerEnd("HTTP/1.1 200 OK\r\n\r\n"));
});

test("sendTokens() sends each token once, and rejects when one is refused", async (t) => {
  const seen: string[] = [];
  const refused = new Set<string | undefined>();
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? "");
    const status = refused.has(request.headers.authorization) ? 401 : 200;
    response.writeHead(status, { "content-length": 2 }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const run = { port, path: "/", count: 25, connections: 4, token: (index: number) => `t${index}` };
  await sendTokens(run);
  assert.deepEqual(
    seen.toSorted(),
    Array.from({ length: 25 }, (_, index) => `Bearer t${index}`).toSorted(),
  );
  refused.add("Bearer t7");
  await assert.rejects(sendTokens(run), /answered with 401/);
});
