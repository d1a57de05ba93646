/**
 * Bodies that policies look into, on their way to a service of either protocol: large ones, ones that are
 * sent again, and what becomes of an answer that streams on when the configuration changes.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf } from "./expect.ts";
import { RawConnection } from "./raw-connection.ts";
import { type Stage, startStage, type StageOptions, until } from "./stage.ts";
import { testOverEach } from "./over-each.ts";

const TYPE = "Content-Type: application/json";

/** The service of streams: an answer that goes on until somebody ends it. It fails each first request with 503. */
const failed = new Set<string>();
const bodies: string[] = [];
const service = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    const { url = "" } = request;
    bodies.push(body);
    if (url.startsWith("/again") && !failed.has(url)) {
      failed.add(url);
      response.writeHead(503).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (url.startsWith("/again")) response.end("done");
    else response.write("data: begun\n\n");
  });
});
await new Promise<void>((resolve) => {
  service.listen(0, "127.0.0.1", resolve);
});
const { port } = service.address() as AddressInfo;

const INSPECT = "inspect: { limit: 1MiB, json: { amount: { at: /amount, type: long } } }";
const routes = (inspect: string): string => `  - name: large
    path: /large
    service: recorder
    authenticate: [anonymous]
    ${INSPECT}
  - name: again
    path: /again
    service: flaky
    authenticate: [anonymous]
    ${INSPECT}
  - name: streams
    path: /streams
    service: flaky
    authenticate: [anonymous]
    lifetime: none
    ${inspect}`;

const OPTIONS = {
  services: `  flaky: { endpoints: ["http://127.0.0.1:${port}"], retries: { attempts: 2, on: [503], bodyBytes: 64KiB } }`,
  routes: routes(INSPECT),
  policies: bounded(1000),
} satisfies StageOptions;

function bounded(most: number): string {
  return `@id("bound") forbid (principal, action, resource in Sallyport::Service::"flaky")
unless { context has body && context.body has amount && context.body.amount <= ${most} };`;
}

const stages: Readonly<Record<string, Stage>> = {
  "http/1.1": await startStage(OPTIONS),
  h2: await startStage({ ...OPTIONS, upstream: "h2" }),
};
const [stage] = Object.values(stages) as [Stage, ...Stage[]];
after(async () => {
  for (const one of Object.values(stages)) await one.close();
  service.closeAllConnections();
  service.close();
});

for (const [upstream, one] of Object.entries(stages)) {
  testOverEach(one, `a large body gets to a service over ${upstream} as it was`, async (over) => {
    const body = JSON.stringify({ amount: 1, note: "é".repeat(60_000) });
    const bytes = Buffer.from(body);
    const head = ["POST /large HTTP/1.1", "Host: api.example", TYPE];
    const whole = [...head, `Content-Length: ${bytes.length}`, "", bytes.toString("latin1")];
    const evidence = await over.attack(whole.join("\r\n"));
    const arrived = arrivalsOf(evidence).find(({ target }) => target === "/large");
    assert.equal(arrived?.body.length, bytes.length);
    assert.ok(Buffer.from(arrived.body, "latin1").equals(bytes));
  });
}

test("a held body is sent again as it was, and its room is given back", async () => {
  const body = '{"amount": 7}';
  bodies.length = 0;
  const response = await fetch(`http://${stage.proxy}/again`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body,
  });
  assert.equal(await response.text(), "done");
  assert.deepEqual(bodies, [body, body]);
  const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
  assert.match(metrics, /^sallyport_held_bytes 0$/m);
});

async function openStream(): Promise<RawConnection> {
  const body = '{"amount": 700}';
  const connection = await RawConnection.open(stage.proxy);
  const head = ["POST /streams HTTP/1.1", "Host: api.example", TYPE];
  connection.write([...head, `Content-Length: ${body.length}`, "", body].join("\r\n"));
  assert.ok(await connection.until(() => connection.text.includes("begun")));
  return connection;
}

test("a stream is decided about again by what was read of its body", async () => {
  const kept = await openStream();
  await stage.reload({ ...OPTIONS, policies: bounded(900) });
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
  assert.equal(kept.closed, false);
  await stage.reload({ ...OPTIONS, policies: bounded(600) });
  await until(() => kept.closed);
  const denialOf = () => stage.records().find(({ stream }) => stream !== undefined);
  await until(() => denialOf() !== undefined);
  const denial = denialOf();
  assert.deepEqual([denial?.["reason"], denial?.["determining"]], ["forbidden", ["bound"]]);
});

test("a stream ends where policies would have to know more of its body", async () => {
  await stage.reload(OPTIONS);
  const ended = await openStream();
  const since = stage.records().length;
  const further = INSPECT.replace("json: {", "json: { note: { at: /note, type: string },");
  await stage.reload({ ...OPTIONS, routes: routes(further) });
  await until(() => ended.closed);
  const denialOf = () =>
    stage
      .records()
      .slice(since)
      .find(({ stream }) => stream !== undefined);
  await until(() => denialOf() !== undefined);
  const denial = denialOf();
  assert.deepEqual(
    [denial?.["reason"], denial?.["detail"]],
    ["no-route", "the route reads other parts of bodies now"],
  );
});
