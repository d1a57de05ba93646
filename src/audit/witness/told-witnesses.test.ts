/** Witnesses that are told and prove nothing: webhook and object store. */
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { exchange } from "../../platform/bounded-exchange.ts";
import { createObjectStoreWitness } from "./object-store-witness.ts";
import { createWebhookWitness } from "./webhook-witness.ts";

const checkpoint = { size: 7, note: "log.example\n7\nAAAA\n\n\u2014 log.example AAAA\n" };
const given = { known: 0, timeoutMs: 30_000 };

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A store that never overwrites; `status` in place of its own answer to what is sent. */
async function startStore(t: TestContext, status?: () => number | undefined) {
  const objects = new Map<string, string>();
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url = "", headers } = request;
      const body = Buffer.concat(chunks).toString();
      asked.push({ method, url, headers, body });
      const held = objects.get(url);
      const own = (): number => {
        if (method === "GET") return held === undefined ? 404 : 200;
        if (headers["if-none-match"] === "*" && held !== undefined) return 412;
        objects.set(url, body);
        return 201;
      };
      response.writeHead((method === "GET" ? undefined : status?.()) ?? own());
      response.end(method === "GET" ? held : undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/kept/?sig=abc`, objects, asked };
}

test("a webhook gets the note, its size as idempotency key, and the configured fields", async (t) => {
  const { url, asked } = await startStore(t);
  const witness = createWebhookWitness(
    {
      type: "webhook",
      name: "hook",
      url,
      headers: { authorization: "Bearer canary" },
      insecureHttp: false,
    },
    { exchange },
  );
  assert.deepEqual(await witness.send(checkpoint, given), {
    outcome: "witnessed",
    status: 201,
    cosignatures: [],
  });
  const [{ method, headers, body } = assert.fail("not asked")] = asked;
  assert.equal(method, "POST");
  assert.equal(body, checkpoint.note);
  assert.equal(headers["idempotency-key"], "7");
  assert.equal(headers.authorization, "Bearer canary");
  assert.doesNotMatch(witness.place, /kept|abc/);
});

test("a webhook that answers anything but 2xx has witnessed nothing", async (t) => {
  for (const [status, outcome] of [
    [302, "unreachable"],
    [400, "refused"],
    [401, "refused"],
    [429, "unreachable"],
    [500, "unreachable"],
  ] as const) {
    const { url } = await startStore(t, () => status);
    const witness = createWebhookWitness(
      { type: "webhook", name: "hook", url, headers: {}, insecureHttp: false },
      { exchange },
    );
    const answer = await witness.send(checkpoint, given);
    assert.equal(answer.outcome, outcome, String(status));
    assert.doesNotMatch(JSON.stringify(answer), /kept|abc/);
  }
});

test("an object store gets one object per checkpoint, which is never overwritten", async (t) => {
  const { url, objects, asked } = await startStore(t);
  const witness = createObjectStoreWitness(
    { type: "object-store", name: "store", url, headers: {}, insecureHttp: false },
    { exchange },
  );
  assert.equal((await witness.send(checkpoint, given)).outcome, "witnessed");
  assert.deepEqual([...objects], [["/kept/7?sig=abc", checkpoint.note]]);
  const again = await witness.send(checkpoint, given);
  assert.deepEqual(again, { outcome: "witnessed", status: 412, cosignatures: [] });
  assert.deepEqual(
    asked.map(({ method }) => method),
    ["PUT", "PUT", "GET"],
  );
  const other = await witness.send({ ...checkpoint, note: `${checkpoint.note}x` }, given);
  assert.equal(other.outcome, "forked");
});

test("an object store that says it is there and does not show it has witnessed nothing", async (t) => {
  const { url } = await startStore(t, () => 412);
  const witness = createObjectStoreWitness(
    { type: "object-store", name: "store", url, headers: {}, insecureHttp: false },
    { exchange },
  );
  assert.equal((await witness.send(checkpoint, given)).outcome, "refused");
});
