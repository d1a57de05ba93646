import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runPaced } from "./paced-client.ts";

test("runPaced() sends each request whole, at its rate, and tells good answers from others", async (t) => {
  const seen = new Set<string>();
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    let body = "";
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (body += text));
    stream.once("end", () => {
      const path = String(headers[":path"]);
      seen.add(`${headers[":method"]} ${path} ${String(headers["x-kind"])} ${body}`);
      if (path === "/reset") {
        stream.close(8);
        return;
      }
      stream.respond({ ":status": path === "/good" ? 200 : 403 });
      stream.end("answer");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const fields = ["x-kind", "test"];
  const result = await runPaced({
    port: (server.address() as AddressInfo).port,
    requests: [
      { method: "POST", path: "/good", fields, body: Buffer.from("hello") },
      { method: "GET", path: "/bad", fields },
      { method: "GET", path: "/reset", fields },
    ],
    perSecond: 300,
    warmUpSeconds: 0.1,
    seconds: 0.2,
  });
  assert.deepEqual([...seen].toSorted(), [
    "GET /bad test ",
    "GET /reset test ",
    "POST /good test hello",
  ]);
  assert.equal(result.wanted, 60);
  assert.equal(result.good, 20);
  assert.equal(result.bad, 40);
  assert.ok(result.p50Us > 0 && result.p50Us <= result.p99Us);
});
