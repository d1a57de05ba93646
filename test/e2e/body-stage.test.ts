/**
 * A body that is held to be changed, when things go wrong on either side of it: nothing hangs, nothing
 * half-changed goes anywhere, and the record says how it ended.
 */
import test, { after, beforeEach } from "node:test";
import { strict as assert } from "node:assert";
import { RawConnection } from "./raw-connection.ts";
import { startStage } from "./stage.ts";
import { readRequests, readResponses } from "./strict-http1.ts";

const stage = await startStage({
  listener: "    limits: { bodyTimeout: 300ms, bodyRate: 1GiB }",
  routes: `  - name: changed
    path: "/changed/*"
    service: recorder
    authenticate: [anonymous]
    responseTimeout: 400ms
    idleTimeout: 400ms
    request: { body: { set: { /via: gate } } }
    response: { body: { set: { /via: gate } } }`,
});
after(() => stage.close());
beforeEach(() => {
  stage.service.script(undefined);
  stage.service.forget();
});

const TYPE = "Content-Type: application/json";

function head(target: string, fields: readonly string[]): string {
  return [`POST ${target} HTTP/1.1`, "Host: api.example", TYPE, ...fields, "", ""].join("\r\n");
}

/** Bodies of what reached the service. */
function arrived(target: string): string[] {
  return stage.service.connections
    .flatMap(({ text }) => readRequests(text).messages)
    .filter((request) => request.target === target)
    .map(({ body }) => body);
}

async function endOf(target: string): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const decided = stage.records().find(({ path }) => path === target);
    const ended = stage
      .records()
      .find(
        ({ type, decisionId }) => type === "completion" && decisionId === decided?.["decisionId"],
      );
    if (ended !== undefined) return ended;
    await new Promise(setImmediate);
  }
}

async function answersTo(bytes: string, count = 1): Promise<ReturnType<typeof readResponses>> {
  const connection = await RawConnection.open(stage.proxy);
  connection.write(bytes);
  const read = () => readResponses(connection.text, Array(count).fill("POST"), connection.closed);
  const final = () => read().messages.filter(({ status }) => status >= 200).length;
  assert.ok(await connection.until(() => final() === count || connection.closed));
  connection.destroy();
  return read();
}

test("a caller that goes away within its body has sent nothing", async () => {
  const connection = await RawConnection.open(stage.proxy);
  connection.write(`${head("/changed/gone", ["Content-Length: 10"])}{"a"`);
  while (!stage.records().some(({ path }) => path === "/changed/gone")) {
    await new Promise(setImmediate);
  }
  connection.destroy();
  assert.equal((await endOf("/changed/gone"))["end"], "caller-gone");
  assert.deepEqual(arrived("/changed/gone"), []);
});

test("a caller that stops within its body is answered 408", async () => {
  const { messages } = await answersTo(`${head("/changed/slow", ["Content-Length: 10"])}{"a"`);
  assert.equal(messages[0]?.status, 408);
  assert.equal((await endOf("/changed/slow"))["end"], "request-timeout");
  assert.deepEqual(arrived("/changed/slow"), []);
});

test("a body whose framing breaks is answered 400", async () => {
  const bytes = `${head("/changed/torn", ["Transfer-Encoding: chunked"])}2\r\n{}\r\nx\r\n`;
  const { messages } = await answersTo(bytes);
  assert.equal(messages[0]?.status, 400);
  assert.deepEqual(arrived("/changed/torn"), []);
});

test("a caller that waits for 100 gets it, or its refusal instead", async () => {
  const fields = ["Expect: 100-continue", "Content-Length: 2"];
  const connection = await RawConnection.open(stage.proxy);
  connection.write(head("/changed/asked", fields));
  assert.ok(await connection.until(() => connection.text.includes("100 Continue\r\n\r\n")));
  connection.write("{}");
  assert.ok(await connection.until(() => connection.text.includes("HTTP/1.1 200")));
  connection.destroy();
  assert.deepEqual(arrived("/changed/asked"), ['{"via":"gate"}']);
  const { messages } = await answersTo(
    head("/changed/refused", fields).replace(TYPE, "Content-Type: text/plain"),
  );
  assert.equal(messages[0]?.status, 415);
});

test("two requests in a row keep their bodies apart", async () => {
  const one = `${head("/changed/one", ["Content-Length: 7"])}{"a":1}`;
  const two = `${head("/changed/two", ["Transfer-Encoding: chunked"])}7\r\n{"a":2}\r\n0\r\n\r\n`;
  const { messages } = await answersTo(one + two, 2);
  assert.deepEqual(
    messages.map(({ status }) => status),
    [200, 200],
  );
  assert.deepEqual(arrived("/changed/one"), ['{"a":1,"via":"gate"}']);
  assert.deepEqual(arrived("/changed/two"), ['{"a":2,"via":"gate"}']);
});

const ANSWERS: readonly [name: string, bytes: string, status: number, body: RegExp][] = [
  [
    "in chunks",
    'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\nX-A: b\r\n\r\n',
    200,
    /^\{"a":1,"via":"gate"\}$/,
  ],
  ["until its end", '\r\n{"a":1}', 200, /^\{"a":1,"via":"gate"\}$/],
  ["that breaks off", 'Content-Length: 9\r\n\r\n{"a":', 502, /upstream-protocol/],
  [
    "in torn chunks",
    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nx\r\n",
    502,
    /upstream-protocol/,
  ],
];
for (const [name, bytes, status, body] of ANSWERS) {
  test(`an answer ${name} is changed or replaced as a whole`, async () => {
    stage.service.script(({ target }) =>
      target === "/changed/a"
        ? { bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\n${bytes}`, close: true }
        : undefined,
    );
    const { messages } = await answersTo(`${head("/changed/a", ["Content-Length: 2"])}{}`);
    assert.equal(messages.length, 1);
    assert.equal(messages[0]?.status, status);
    assert.match(messages[0].body, body);
  });
}

test("a service that stops within an answer is a 504", async () => {
  stage.service.script(() => ({
    bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 9\r\n\r\n{"a":`,
  }));
  const { messages } = await answersTo(`${head("/changed/hung", ["Content-Length: 2"])}{}`);
  assert.equal(messages[0]?.status, 504);
  assert.equal((await endOf("/changed/hung"))["end"], "upstream-timeout");
});
