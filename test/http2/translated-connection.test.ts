/** The translation is held to the recording service: what it writes down is what went over. */
import { strict as assert } from "node:assert";
import test from "node:test";
import { readResponses } from "../e2e/strict-http1.ts";
import { Http2Ground } from "./ground.ts";
import { TranslatedConnection } from "./translated-connection.ts";

const HOST = "Host: api.example";

async function answersTo(
  ground: Http2Ground,
  bytes: string,
  methods: readonly string[],
): Promise<{ readonly statuses: number[]; readonly bodies: unknown[]; readonly cut: boolean }> {
  const caller = await TranslatedConnection.open(ground.address);
  const read = (): ReturnType<typeof readResponses> =>
    readResponses(caller.text, methods, caller.closed);
  // In pieces, as a socket would take it.
  for (let at = 0; at < bytes.length; at += 7) caller.write(bytes.slice(at, at + 7));
  await caller.until(
    () =>
      caller.closed ||
      read().messages.filter(({ status }) => status >= 200).length >= methods.length,
  );
  const { messages, end, fault } = read();
  assert.notEqual(end, "invalid", fault);
  const cut = caller.closed;
  caller.destroy();
  return {
    statuses: messages.map(({ status }) => status),
    bodies: messages.map(({ body }) => (body === "" ? "" : (JSON.parse(body) as unknown))),
    cut,
  };
}

test("TranslatedConnection sends requests in order and writes their answers down in order", async () => {
  await using ground = await Http2Ground.start();
  const bytes = [
    `GET /a?b HTTP/1.1\r\n${HOST}\r\nX-One: 1\r\nConnection: keep-alive\r\n\r\n`,
    `POST /length HTTP/1.1\r\n${HOST}\r\nContent-Length: 5\r\n\r\nhello`,
    `POST /chunks HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n`,
    `POST /trailers HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n`,
    `HEAD /head HTTP/1.1\r\n${HOST}\r\n\r\n`,
  ].join("");
  const methods = ["GET", "POST", "POST", "POST", "HEAD"];
  const { statuses, bodies, cut } = await answersTo(ground, bytes, methods);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200]);
  assert.deepEqual(bodies, [
    { method: "GET", target: "/a?b", body: "" },
    { method: "POST", target: "/length", body: "hello" },
    { method: "POST", target: "/chunks", body: "hello" },
    { method: "POST", target: "/trailers", body: "hi" },
    "",
  ]);
  assert.equal(cut, false);
  const one = ground.arrived().find(({ target }) => target === "/a?b");
  assert.ok(one?.fields.some(([name, value]) => name === "x-one" && value === "1"));
});

test("TranslatedConnection is closed behind the answer to Connection: close", async () => {
  await using ground = await Http2Ground.start();
  const bytes = `GET /a HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`;
  const { statuses, cut } = await answersTo(ground, bytes, ["GET"]);
  assert.deepEqual(statuses, [200]);
  assert.equal(cut, true);
});

test("TranslatedConnection is cut where a stream is reset", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => ({
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun",
    close: true,
  }));
  const caller = await TranslatedConnection.open(ground.address);
  caller.write(`GET /a HTTP/1.1\r\n${HOST}\r\n\r\n`);
  assert.ok(await caller.until(() => caller.closed));
  assert.match(caller.text, /^HTTP\/1\.1 200 x\r\n[^]*\r\n\r\nbegun$/);
});

test("TranslatedConnection writes interim answers and chunks", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => ({
    bytes:
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Late: yes\r\n\r\n",
  }));
  const caller = await TranslatedConnection.open(ground.address);
  caller.write(
    `POST /a HTTP/1.1\r\n${HOST}\r\nTE: trailers\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
  );
  assert.ok(await caller.until(() => caller.text.startsWith("HTTP/1.1 100 x\r\n\r\n")));
  caller.write("hi");
  assert.ok(await caller.until(() => caller.text.endsWith("\r\n0\r\nx-late: yes\r\n\r\n")));
  caller.destroy();
});
