/**
 * Policies let transfers up to 1000 through, and every tool of an MCP server but `delete`. Somebody wants
 * a larger one through: an amount that is written twice (CVE-2017-12635), that the service's reader takes
 * from another name (Go and .NET compare names without case), that a double rounds, under another type or coding, in a second document or request behind the first, in a batch, or in bytes that policy did
 * not see. What can be read in two ways is refused before anything is sent; what goes on is what policy
 * saw, to the byte. And nobody fills the proxy's memory with bodies that are never decided about.
 */
import test, { after, beforeEach } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { RawConnection } from "../e2e/raw-connection.ts";
import { type Stage, startStage } from "../e2e/stage.ts";
import { valuesOf } from "../e2e/strict-http1.ts";

const stage = await startStage({
  listener: "    limits: { bodyTimeout: 300ms, bodyRate: 1GiB }",
  routes: `  - name: transfers
    path: /transfers
    service: recorder
    authenticate: [anonymous]
    inspect:
      limit: 1KiB
      json:
        amount: { at: /order/amount, type: long }
        currency: { at: /order/currency, type: string, record: clear }
        tags: { at: /tags, type: strings }
  - name: members
    path: /members
    service: recorder
    authenticate: [test]
    inspect: { json: { amount: { at: /order/amount, type: long } } }
  - name: changed
    path: /changed
    service: recorder
    authenticate: [anonymous]
    inspect: { json: { amount: { at: /order/amount, type: long } } }
    request: { body: { set: { /via: gate }, rename: { /order/amount: /sum } } }
  - name: agent
    path: /mcp
    service: recorder
    authenticate: [anonymous]
    inspect: { rpc: mcp, json: { file: { at: /params/arguments/file, type: string } } }`,
  policies: `
@id("small")
forbid (principal, action, resource in Sallyport::Service::"recorder")
when { context has body && context.body has amount && context.body.amount > 1000 };
@id("some")
forbid (principal, action, resource == Sallyport::Route::"transfers")
unless { context has body && context.body has amount };
@id("tools")
forbid (principal, action, resource == Sallyport::Route::"agent")
when {
  context has rpc && context.rpc has tool &&
  (context.rpc.tool == "delete" || (context has body && context.body has file && context.body.file like "/etc/*"))
};`,
});
after(() => stage.close());
beforeEach(() => stage.service.forget());

const JSON_TYPE = "Content-Type: application/json";

interface Sent {
  readonly fields?: readonly string[];
  readonly target?: string;
  readonly method?: string;
}

async function send(attack: Stage["attack"], body: string | Buffer, sent: Sent = {}) {
  const { fields = [JSON_TYPE], target = "/transfers", method = "POST" } = sent;
  const bytes = Buffer.from(body);
  const lines = [`${method} ${target} HTTP/1.1`, "Host: api.example", ...fields];
  const head = [...lines, `Content-Length: ${bytes.length}`, "", ""].join("\r\n");
  const evidence = await attack(head + bytes.toString("latin1"));
  assertHarmless(evidence);
  const arrived = arrivalsOf(evidence).filter((request) => request.target === target);
  return { evidence, arrived, status: statusesOf(evidence)[0] };
}

testOverEach(stage, "a small transfer goes on to the byte, a large one does not", async (over) => {
  const small = ' {"order" : {"currency":"E\\u0055R","amount":1000}, "n":1.0e1, "x":"é"}\n';
  const { arrived, evidence } = await send(over.attack, small, {
    fields: [JSON_TYPE, "Content-Digest: sha-256=:x:", "Content_Encoding: gzip"],
  });
  assert.equal(Buffer.from(arrived[0]?.body ?? "", "latin1").toString(), small);
  assert.deepEqual(valuesOf(arrived[0] ?? assert.fail(), "content-length"), [
    String(Buffer.byteLength(small)),
  ]);
  assert.deepEqual(valuesOf(arrived[0] ?? assert.fail(), "content-digest"), ["sha-256=:x:"]);
  assert.doesNotMatch(arrived[0]?.fields.flat().join("\n") ?? "", /encoding/i);
  assert.equal(evidence.completions[0]?.["requestBytes"], Buffer.byteLength(small));
  const seen = evidence.decisions[0]?.["body"] as Record<string, { hashes?: string[] }>;
  assert.match(seen["amount"]?.hashes?.[0] ?? "", /^[\w-]{43}$/);
  assert.deepEqual({ ...seen }["currency"], { value: "EUR" });
  const large = await send(over.attack, '{"order":{"amount":1001}}');
  assert.deepEqual([large.status, large.arrived], [403, []]);
  assert.deepEqual(large.evidence.decisions[0]?.["determining"], ["small"]);
});

testOverEach(stage, "a chunked body is held too, and its trailers are dropped", async (over) => {
  const chunks = '5\r\n{"ord\r\n14\r\ner":{"amount":1000}}\r\n0\r\nX-Amount: 5000\r\n\r\n';
  const head = ["POST /transfers HTTP/1.1", "Host: api.example", JSON_TYPE];
  const whole = [...head, "Transfer-Encoding: chunked", "Trailer: X-Amount", "", chunks].join(
    "\r\n",
  );
  const evidence = await over.attack(whole);
  assertHarmless(evidence);
  const [request] = arrivalsOf(evidence);
  assert.equal(request?.body, '{"order":{"amount":1000}}');
  assert.deepEqual(valuesOf(request, "transfer-encoding"), []);
});

const REFUSED: readonly [
  title: string,
  body: string | Buffer,
  status: number,
  fields?: string[],
][] = [
  ["a repeated name", '{"order":{"amount":1,"amount":5000}}', 400],
  ["a name repeated by an escape", '{"order":{"amount":1,"\\u0061mount":5000}}', 400],
  ["a name in another case", '{"order":{"amount":1,"Amount":5000}}', 400],
  ["a name in another case alone", '{"order":{"AMOUNT":5000}}', 400],
  ["a name with an underscore", '{"order":{"amount":1,"_amount":5000}}', 400],
  ["a name with NUL", '{"order":{"amount":1,"amount\\u0000":5000}}', 400],
  ["a name with the long s of Go", '{"order":{"amount":1},"tag\\u017f":["x"]}', 400],
  ["an object in another case", '{"order":{"amount":1},"Order":{"amount":5000}}', 400],
  ["an exponent", '{"order":{"amount":1e3}}', 400],
  ["a fraction", '{"order":{"amount":1000.0000000000000000001}}', 400],
  ["an integer beyond 64 bits", '{"order":{"amount":18446744073709551617}}', 400],
  ["a number with many digits", `{"order":{"amount":1${"0".repeat(100)}}}`, 400],
  ["a text", '{"order":{"amount":"5000"}}', 400],
  ["null", '{"order":{"amount":null}}', 400],
  ["a list", '{"order":[{"amount":5000}]}', 400],
  ["a document that is a list", '[{"order":{"amount":5000}}]', 400],
  ["a second document", '{"order":{"amount":1}}{"order":{"amount":5000}}', 400],
  ["a second line", '{"order":{"amount":1}}\n{"order":{"amount":5000}}', 400],
  ["a comment", '{"order":{"amount":1/*,"amount":5000*/}}', 400],
  ["a byte order mark", '\ufeff{"order":{"amount":1}}', 400],
  ["UTF-16", Buffer.from('{"order":{"amount":1}}', "utf16le"), 400],
  ["bytes that are not UTF-8", Buffer.from('{"order":{"amount":1},"a":"\u00ff"}', "latin1"), 400],
  ["depth", `{"a":${"[".repeat(200)}${"]".repeat(200)},"order":{"amount":1}}`, 400],
  ["a large body", JSON.stringify({ order: { amount: 1 }, a: "a".repeat(2000) }), 413],
  ["no type", '{"order":{"amount":1}}', 415, []],
  ["another type", "amount=5000", 415, ["Content-Type: application/x-www-form-urlencoded"]],
  ["two types", '{"order":{"amount":1}}', 415, [JSON_TYPE, "Content-Type: text/plain"]],
  ["another charset", '{"order":{"amount":1}}', 415, [`${JSON_TYPE}; charset=utf-7`]],
  ["a coding", '{"order":{"amount":1}}', 415, [JSON_TYPE, "Content-Encoding: gzip"]],
  ["a part", '{"order":{"amount":1}}', 415, [JSON_TYPE, "Content-Range: bytes 0-1/9"]],
];
for (const [title, body, status, fields] of REFUSED) {
  testOverEach(stage, `a transfer that hides behind ${title} is refused`, async ({ attack }) => {
    const sent = await send(attack, body, { fields: fields ?? [JSON_TYPE] });
    assert.deepEqual([sent.status, sent.arrived], [status, []]);
    assert.match(String(reasonsOf(sent.evidence)[0]), /body/);
    assert.doesNotMatch(JSON.stringify(sent.evidence.decisions), /\b5000\b/);
  });
}

test("a caller cannot have the type dropped on the way", async () => {
  const { status, arrived } = await send(
    (bytes) => stage.attack(bytes),
    '{"order":{"amount":1000}}',
    {
      fields: [JSON_TYPE, "Connection: content-type"],
    },
  );
  assert.deepEqual([status, arrived], [400, []]);
});

testOverEach(stage, "a body on GET is looked into as any other", async ({ attack }) => {
  const { status, arrived } = await send(attack, '{"order":{"amount":5000}}', { method: "GET" });
  assert.deepEqual([status, arrived], [403, []]);
});

testOverEach(stage, "without a body there is nothing for policies to see", async ({ attack }) => {
  const { status, evidence } = await send(attack, "");
  assert.equal(status, 403);
  assert.deepEqual(evidence.decisions[0]?.["determining"], ["some"]);
  assert.equal(evidence.decisions[0]?.["body"], undefined);
});

testOverEach(stage, "changes come after the decision, to what was decided about", async (over) => {
  const { arrived, evidence } = await send(over.attack, '{"order":{"amount":7}}', {
    target: "/changed",
  });
  assert.equal(arrived[0]?.body, '{"order":{},"sum":7,"via":"gate"}');
  assert.equal(evidence.completions[0]?.["requestBytes"], 22);
});

function call(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

const CALLS: readonly [title: string, body: string, status: number][] = [
  ["a tool that may be called", call("tools/call", { name: "search" }), 200],
  ["a file that may be read", call("tools/call", { name: "read", arguments: { file: "a" } }), 200],
  ["the list of tools", call("tools/list", {}), 200],
  ["a notification", '{"jsonrpc":"2.0","method":"notifications/initialized"}', 200],
  ["an answer", '{"jsonrpc":"2.0","id":7,"result":{}}', 200],
  ["the tool", call("tools/call", { name: "delete" }), 403],
  [
    "the tool, its name in escapes",
    '{"jsonrpc":"2.0","id":1,"method":"t\\u006fols/call","params":{"name":"de\\u006cete"}}',
    403,
  ],
  [
    "the tool, its members in escapes",
    '{"jsonrpc":"2.0","id":1,"meth\\u006fd":"tools/call","params":{"n\\u0061me":"delete"}}',
    403,
  ],
  ["a file", call("tools/call", { name: "read", arguments: { file: "/etc/passwd" } }), 403],
  ["a method in another case", call("Tools/call", { name: "delete" }), 400],
  ["a method with a blank", call("tools/call ", { name: "delete" }), 400],
  [
    "the tool without an id, which some servers run and answer not",
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete"}}',
    400,
  ],
  ["a batch", `[${call("tools/list", {})},${call("tools/call", { name: "delete" })}]`, 400],
  ["params as a list", call("tools/call", ["delete"]), 400],
  ["arguments as a list", call("tools/call", { name: "read", arguments: ["/etc/passwd"] }), 400],
  ["a name in another case", call("tools/call", { name: "search", Name: "delete" }), 400],
  ["params in another case", '{"jsonrpc":"2.0","id":1,"method":"tools/call","Params":{}}', 400],
  ["a second method", call("tools/list", {}).replace("{", '{"METHOD":"tools/call",'), 400],
  ["a call that is an answer", call("tools/list", {}).replace("{", '{"result":1,'), 400],
];
for (const [title, body, status] of CALLS) {
  testOverEach(stage, `an agent that sends ${title} gets ${status}`, async ({ attack }) => {
    const sent = await send(attack, body, { target: "/mcp" });
    assert.equal(sent.status, status);
    assert.deepEqual(
      sent.arrived.map((request) => request.body),
      status === 200 ? [body] : [],
    );
  });
}

test("records say which tool was asked for", async () => {
  const { evidence } = await send(
    (bytes) => stage.attack(bytes),
    call("tools/call", { name: "delete" }),
    {
      target: "/mcp",
    },
  );
  assert.deepEqual(evidence.decisions[0]?.["rpc"], {
    kind: "request",
    method: "tools/call",
    protocol: "mcp",
    tool: "delete",
  });
});

test("an MCP session is opened and ended without a body", async () => {
  for (const method of ["GET", "DELETE"]) {
    const evidence = await stage.attack(`${method} /mcp HTTP/1.1\r\nHost: api.example\r\n\r\n`);
    assert.deepEqual(statusesOf(evidence)[0], 200);
    assert.equal(evidence.decisions[0]?.["rpc"], undefined);
  }
});

testOverEach(stage, "a stranger's body is not even read", async ({ attack }) => {
  const { status, evidence } = await send(attack, '{"order":{"amount":1,"amount":2}}', {
    target: "/members",
  });
  assert.equal(status, 401);
  assert.deepEqual(reasonsOf(evidence)[0], "missing-credential");
});

test("a request behind a held body is a request of its own", async () => {
  const small = '{"order":{"amount":1000}}';
  const large = '{"order":{"amount":1001}}';
  const request = (body: string) =>
    `POST /transfers HTTP/1.1\r\nHost: api.example\r\n${JSON_TYPE}\r\nContent-Length: 25\r\n\r\n${body}`;
  const evidence = await stage.attack(request(small) + request(large) + request(small));
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence).slice(0, 3), [200, 403, 200]);
  const bodies = arrivalsOf(evidence).map(({ body }) => body);
  assert.deepEqual(bodies.slice(0, 2), [small, small]);
});

function openHead(target: string, fields: readonly string[]): string {
  return [`POST ${target} HTTP/1.1`, "Host: api.example", JSON_TYPE, ...fields, "", ""].join(
    "\r\n",
  );
}

async function recorded(since: number): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const [decision] = stage
      .records()
      .slice(since)
      .filter(({ type }) => type === "decision");
    if (decision !== undefined) return decision;
    await new Promise(setImmediate);
  }
}

test("a caller that goes away, or stops, within its body has sent nothing", async () => {
  for (const [leaves, reason] of [
    [true, "caller-gone"],
    [false, "request-timeout"],
  ] as const) {
    const since = stage.records().length;
    const connection = await RawConnection.open(stage.proxy);
    connection.write(`${openHead("/transfers", ["Content-Length: 25"])}{"order":`);
    if (leaves) {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      connection.destroy();
    }
    const decision = await recorded(since);
    assert.deepEqual([decision["decision"], decision["reason"]], ["deny", reason]);
    if (!leaves) assert.ok(await connection.until(() => connection.text.includes(" 408 ")));
    connection.destroy();
  }
  assert.deepEqual(stage.service.connections.map(({ text }) => text).join(""), "");
});

test("a caller that waits for 100 gets it once its identity is known, or a refusal", async () => {
  const fields = ["Expect: 100-continue", "Content-Length: 25"];
  const connection = await RawConnection.open(stage.proxy);
  connection.write(openHead("/transfers", fields));
  assert.ok(await connection.until(() => connection.text.includes("100 Continue\r\n\r\n")));
  connection.write('{"order":{"amount":1000}}');
  assert.ok(await connection.until(() => connection.text.includes("HTTP/1.1 200")));
  connection.destroy();
  const stranger = await RawConnection.open(stage.proxy);
  stranger.write(openHead("/members", fields));
  assert.ok(await stranger.until(() => stranger.text.includes(" 401 ")));
  assert.doesNotMatch(stranger.text, /100 Continue/);
  stranger.destroy();
});
