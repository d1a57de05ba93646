import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { AdminCallError, createAdminTransport } from "./admin-transport.ts";

const TOKEN = "canary-t0ken";

async function serve(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const failure = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AdminCallError);
  assert.match(error.message, message);
  assert.ok(!`${error.message} ${error.stack ?? ""}`.includes(TOKEN));
  return true;
};

void test("createAdminTransport() sends no token in plain HTTP beyond this machine", () => {
  for (const url of ["http://192.0.2.1:9900", "http://localhost.example.com", "ftp://127.0.0.1"]) {
    const place = { url: new URL(url), token: TOKEN };
    assert.throws(() => createAdminTransport(place), failure(/a token is not sent/), url);
  }
  for (const url of ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://a"]) {
    createAdminTransport({ url: new URL(url), token: TOKEN });
  }
});

void test("call() follows no redirect", async (t) => {
  let asked = 0;
  const url = await serve(t, (_request, response) => {
    asked += 1;
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  const transport = createAdminTransport({ url, token: TOKEN });
  await assert.rejects(
    transport.call({ method: "GET", path: "/v1/status" }),
    failure(/status 307/),
  );
  assert.equal(asked, 1);
});

void test("call() writes values so that they stay values, and reads tag and body", async (t) => {
  const seen: string[] = [];
  const url = await serve(t, (request, response) => {
    seen.push(`${request.method ?? ""} ${request.url ?? ""} ${request.headers["if-match"] ?? ""}`);
    response.writeHead(200, { "content-type": "application/json", etag: '"7"' }).end('{"a":1}');
  });
  const transport = createAdminTransport({ url, token: TOKEN });
  const answer = await transport.call({
    method: "GET",
    path: "/v1/routes",
    query: { cursor: "a&b=c", limit: 5, other: undefined },
    headers: { "if-match": '"3"' },
  });
  assert.deepEqual(answer, { value: { a: 1 }, etag: '"7"' });
  assert.deepEqual(seen, ['GET /v1/routes?cursor=a%26b%3Dc&limit=5 "3"']);
});

void test("call() rejects with the problem that was answered, and with its places", async (t) => {
  const faults = [{ at: "/name", message: "a name", remedy: "edge-1" }];
  const url = await serve(t, (_request, response) => {
    const problem = { title: "It does not fit", reason: "invalid-input", faults };
    response
      .writeHead(400, { "content-type": "application/problem+json" })
      .end(JSON.stringify(problem));
  });
  const transport = createAdminTransport({ url, token: TOKEN });
  const call = transport.call({ method: "POST", path: "/v1/workloads", body: {} });
  await assert.rejects(call, (error: unknown) => {
    failure(/^It does not fit\n {2}\/name {2}a name {2}edge-1$/)(error);
    assert.deepEqual((error as AdminCallError).problem?.faults, faults);
    return true;
  });
});

void test("call() rejects where nobody answers, and says what may be wrong", async () => {
  const gone = createAdminTransport({ socket: "/nonexistent/admin.sock" });
  const call = gone.call({ method: "GET", path: "/v1/status" });
  await assert.rejects(call, failure(/no such socket; is sallyport run there/));
});

void test("call() takes no answer that is not ours for one", async (t) => {
  const url = await serve(t, (_request, response) => {
    response.writeHead(500, { "content-type": "text/html" }).end("<h1>oops</h1>");
  });
  const transport = createAdminTransport({ url, token: TOKEN });
  await assert.rejects(
    transport.call({ method: "GET", path: "/v1/status" }),
    failure(/^status 500$/),
  );
});

void test("call() says that there is no API where an address has only the probes", async (t) => {
  for (const status of [404, 405]) {
    const url = await serve(t, (_request, response) => response.writeHead(status).end());
    await assert.rejects(
      createAdminTransport({ url, token: TOKEN }).call({ method: "GET", path: "/v1/status" }),
      failure(/no admin API at this address: admin\.authenticate is not set there/),
    );
  }
});

void test("call() names the decision where the gate refused", async (t) => {
  const url = await serve(t, (_request, response) => {
    response.writeHead(403, { "content-type": "application/problem+json" });
    response.end('{"title":"No","reason":"no-matching-permit","decision":"d-1"}');
  });
  await assert.rejects(
    createAdminTransport({ url, token: TOKEN }).call({ method: "GET", path: "/v1/status" }),
    failure(/^No\n {2}decision {2}d-1 {2}of {2}GET \/v1\/status$/),
  );
});
