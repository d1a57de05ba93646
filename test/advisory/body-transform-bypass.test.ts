/**
 * A route takes a member out of JSON bodies (`admin` of requests, `secret` of answers), and somebody
 * wants it to get through: written twice, in another encoding or spelling, under another type, packed,
 * in parts, too large to be looked at, or by names that reach a prototype (CVE-2019-10744 and many
 * like it). What cannot be changed as the route says is refused; it is never passed on as it is.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { answersOf } from "../e2e/judge.ts";
import { arrivalsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { type Stage, startStage } from "../e2e/stage.ts";
import { valuesOf } from "../e2e/strict-http1.ts";

const stage = await startStage({
  routes: `  - name: legacy
    path: "/legacy/{id}"
    service: recorder
    authenticate: [anonymous]
    request:
      body:
        limit: 1KiB
        rename: { /user_name: /user/name }
        remove: [/admin, /items/0]
        set: { /id: "\${params.id}", /source: gate, /page: "\${request.query.page}" }
  - name: answers
    path: "/answers"
    service: recorder
    authenticate: [anonymous]
    response: { body: { limit: 1KiB, remove: [/secret], set: { /via: gate } } }
  - name: lenient
    path: "/lenient"
    service: recorder
    authenticate: [anonymous]
    response: { body: { others: pass, remove: [/secret] } }`,
});
after(() => stage.close());

const JSON_TYPE = "Content-Type: application/json";

/** Sends a body over the protocol of `attack`, and says what arrived. */
function sender(attack: Stage["attack"]) {
  return (body: string | Buffer, fields: readonly string[], target = "/legacy/7") =>
    sendOver(attack, { body, fields, target });
}

interface Sent {
  readonly body: string | Buffer;
  readonly fields: readonly string[];
  readonly target: string;
}

async function sendOver(attack: Stage["attack"], { body, fields, target }: Sent) {
  const bytes = Buffer.from(body);
  const lines = [`POST ${target} HTTP/1.1`, "Host: api.example", ...fields];
  const head = [...lines, `Content-Length: ${bytes.length}`, "", ""].join("\r\n");
  const evidence = await attack(head + bytes.toString("latin1"));
  const arrived = arrivalsOf(evidence).filter((request) => request.method === "POST");
  return { evidence, arrived, status: statusesOf(evidence)[0] };
}

testOverEach(
  stage,
  "the service gets the changed body, with its length, and all else as it was written",
  async ({ attack }) => {
    const send = sender(attack);
    const body =
      '{ "user_name":"\\u00e9", "n":12345678901234567890.10, "admin":true, "10":1, "2":2 }';
    const digests = ["Digest: md5=x", "Content-MD5: x", "Content_Encoding: gzip", "Repr-Digest: x"];
    const { arrived, evidence } = await send(body, [JSON_TYPE, ...digests]);
    const [request] = arrived;
    assert.equal(
      request?.body,
      '{"n":12345678901234567890.10,"10":1,"2":2,"user":{"name":"\\u00e9"},"id":"7","source":"gate"}',
    );
    assert.deepEqual(valuesOf(request, "content-length"), [String(request.body.length)]);
    assert.doesNotMatch(request.fields.flat().join("\n"), /digest|md5|encoding/);
    assert.equal(evidence.completions[0]?.["requestBytes"], body.length);
  },
);

testOverEach(
  stage,
  "a chunked body is changed too, its trailers are dropped",
  async ({ attack }) => {
    const chunks = '5\r\n{"adm\r\nc\r\nin":1,"b":2}\r\n0\r\nX-A: b\r\n\r\n';
    const head = ["POST /legacy/7 HTTP/1.1", "Host: api.example", JSON_TYPE];
    const bytes = [...head, "Transfer-Encoding: chunked", "", chunks].join("\r\n");
    const [request] = arrivalsOf(await attack(bytes));
    assert.equal(request?.body, '{"b":2,"id":"7","source":"gate"}');
    assert.deepEqual(valuesOf(request, "transfer-encoding"), []);
  },
);

testOverEach(
  stage,
  "what is absent sets nothing, and what the caller wrote in its place is gone",
  async ({ attack }) => {
    const send = sender(attack);
    const { arrived } = await send('{"page":"forged"}', [JSON_TYPE]);
    assert.equal(arrived[0]?.body, '{"id":"7","source":"gate"}');
    const paged = await send('{"page":"forged"}', [JSON_TYPE], "/legacy/7?page=%222%22");
    assert.equal(paged.arrived[0]?.body, '{"page":"\\"2\\"","id":"7","source":"gate"}');
  },
);

testOverEach(stage, "a request without a body stays without one", async ({ attack }) => {
  const bytes = "POST /legacy/7 HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n";
  const [request] = arrivalsOf(await attack(bytes));
  assert.equal(request?.body, "");
});

const REFUSED: readonly [title: string, body: string | Buffer, fields: string[], status: number][] =
  [
    ["a repeated name", '{"admin":1,"admin":2}', [JSON_TYPE], 400],
    ["a name repeated by an escape", '{"admin":1,"\\u0061dmin":2}', [JSON_TYPE], 400],
    ["a comment", '{/**/"admin":1}', [JSON_TYPE], 400],
    ["a byte order mark", '\ufeff{"admin":1}', [JSON_TYPE], 400],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22]), [JSON_TYPE], 400],
    ["UTF-16", Buffer.from('{"admin":1}', "utf16le"), [JSON_TYPE], 400],
    ["two documents", '{}{"admin":1}', [JSON_TYPE], 400],
    ["a value in the way", '{"user_name":"x","user":1}', [JSON_TYPE], 400],
    ["a list", '[{"admin":1}]', [JSON_TYPE], 400],
    ["depth", `${"[".repeat(200)}${"]".repeat(200)}`, [JSON_TYPE], 400],
    ["no type", '{"admin":1}', [], 415],
    ["another type", '{"admin":1}', ["Content-Type: text/plain"], 415],
    ["two types", '{"admin":1}', [JSON_TYPE, "Content-Type: text/plain"], 415],
    ["a type in another spelling", '{"admin":1}', ["Content_Type: application/json"], 415],
    ["another charset", '{"admin":1}', [`${JSON_TYPE}; charset=utf-7`], 415],
    ["parameters that do not parse", '{"admin":1}', [`${JSON_TYPE}; a="b; charset=utf-8`], 415],
    ["a coding", '{"admin":1}', [JSON_TYPE, "Content-Encoding: gzip"], 415],
    ["two codings", '{"admin":1}', [JSON_TYPE, "Content-Encoding: identity, gzip"], 415],
    ["a large body", `{"admin":1,"a":"${"a".repeat(2000)}"}`, [JSON_TYPE], 413],
  ];
for (const [title, body, fields, status] of REFUSED) {
  testOverEach(
    stage,
    `a request whose body hides behind ${title} is refused`,
    async ({ attack }) => {
      const send = sender(attack);
      const sent = await send(body, fields);
      assert.equal(sent.status, status);
      assert.deepEqual(sent.arrived, []);
      const [decision] = sent.evidence.decisions;
      assert.equal(decision?.["reason"], "permitted");
      assert.match(String(sent.evidence.completions[0]?.["end"]), /body/);
    },
  );
}

testOverEach(stage, "a body that is too large in chunks is refused", async ({ attack }) => {
  const chunk = `400\r\n${"a".repeat(1024)}\r\n`;
  const head = ["POST /legacy/7 HTTP/1.1", "Host: api.example", JSON_TYPE];
  const bytes = [...head, "Transfer-Encoding: chunked", "", `${chunk}${chunk}0\r\n\r\n`];
  const evidence = await attack(bytes.join("\r\n"));
  assert.equal(statusesOf(evidence)[0], 413);
  assert.doesNotMatch(evidence.arrived.join(""), /legacy/);
});

testOverEach(stage, "no member name reaches a prototype", async ({ attack }) => {
  const send = sender(attack);
  const body = '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}';
  const { arrived } = await send(body, [JSON_TYPE]);
  assert.equal(arrived[0]?.body, `${body.slice(0, -1)},"id":"7","source":"gate"}`);
});

interface Answered {
  readonly status?: string;
  readonly fields?: readonly string[];
  readonly body: string;
}

/** Asks for that answer over the protocol of `attack`. */
function answerer(attack: Stage["attack"]) {
  return (target: string, answer: Answered, method = "GET") =>
    answeredOver(attack, { ...answer, target, method });
}

async function answeredOver(
  attack: Stage["attack"],
  answer: Answered & { readonly target: string; readonly method: string },
) {
  const { status = "200 OK", fields = [JSON_TYPE], body, target, method } = answer;
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = [`HTTP/1.1 ${status}`, ...fields, length, "", ""].join("\r\n");
  stage.service.script((request) =>
    request.target === target
      ? { bytes: head + (method === "HEAD" ? "" : Buffer.from(body).toString("latin1")) }
      : ordinary(request.target),
  );
  const bytes = [`${method} ${target} HTTP/1.1`, "Host: api.example", "Range: bytes=0-1"];
  const evidence = await attack([...bytes, "Accept-Encoding: gzip", "", ""].join("\r\n"));
  const [first] = answersOf(evidence);
  assert.ok(first !== undefined);
  return { first, evidence };
}

function ordinary(target: string): { readonly bytes: string } {
  const body = JSON.stringify({ target });
  return { bytes: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` };
}

testOverEach(
  stage,
  "the caller gets the changed answer, and a weak tag for it",
  async ({ attack }) => {
    const answered = answerer(attack);
    const { first, evidence } = await answered("/answers", {
      fields: ["Content-Type: application/problem+json; charset=UTF-8", 'ETag: "a"', "Digest: x"],
      body: '{"a":"é", "secret":{"b":1},"n":1.0}',
    });
    assert.equal(Buffer.from(first.body, "latin1").toString(), '{"a":"é","n":1.0,"via":"gate"}');
    assert.deepEqual(valuesOf(first, "etag"), ['W/"a"']);
    assert.deepEqual(valuesOf(first, "digest"), []);
    assert.equal(evidence.completions[0]?.["responseBytes"], first.body.length);
    const [asked] = arrivalsOf(evidence);
    assert.ok(asked !== undefined);
    assert.deepEqual(valuesOf(asked, "accept-encoding"), ["identity"]);
    assert.deepEqual(valuesOf(asked, "range"), []);
  },
);

const KEPT_BACK: readonly [title: string, answer: Answered][] = [
  ["a repeated name", { body: '{"secret":1,"secret":2}' }],
  ["another type", { fields: ["Content-Type: text/plain"], body: '{"secret":1}' }],
  ["no type", { fields: [], body: '{"secret":1}' }],
  ["a coding", { fields: [JSON_TYPE, "Content-Encoding: br"], body: '{"secret":1}' }],
  [
    "a range",
    {
      status: "206 Partial Content",
      fields: [JSON_TYPE, "Content-Range: bytes 0-1/9"],
      body: "secret",
    },
  ],
  ["size", { body: `{"secret":"${"a".repeat(2000)}"}` }],
  ["an error", { status: "500 Internal Server Error", body: "secret" }],
];
for (const [title, answer] of KEPT_BACK) {
  testOverEach(
    stage,
    `an answer whose secret hides behind ${title} is a 502`,
    async ({ attack }) => {
      const answered = answerer(attack);
      const { first, evidence } = await answered("/answers", answer);
      assert.equal(first.status, 502);
      assert.doesNotMatch(evidence.answer, /secret/);
      assert.equal(evidence.completions[0]?.["end"], "upstream-body");
      assert.equal(evidence.completions[0]?.["status"], 502);
    },
  );
}

testOverEach(
  stage,
  "an answer that breaks off while it is held back is a 502, not a torn one",
  async ({ attack }) => {
    stage.service.script(({ target }) =>
      target === "/answers"
        ? {
            bytes: `HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nContent-Length: 100\r\n\r\n{"secret":`,
            close: true,
          }
        : ordinary(target),
    );
    const evidence = await attack("GET /answers HTTP/1.1\r\nHost: api.example\r\n\r\n");
    assert.equal(answersOf(evidence)[0]?.status, 502);
    assert.doesNotMatch(evidence.answer, /secret/);
  },
);

testOverEach(
  stage,
  "answers without a body say nothing of its length, and pass",
  async ({ attack }) => {
    const answered = answerer(attack);
    const head = await answered(
      "/answers",
      { fields: [JSON_TYPE, 'ETag: "a"'], body: "{}" },
      "HEAD",
    );
    assert.equal(head.first.status, 200);
    assert.deepEqual(valuesOf(head.first, "content-length"), []);
    assert.deepEqual(valuesOf(head.first, "etag"), ['W/"a"']);
    const empty = await answered("/answers", { fields: [], body: "" });
    assert.equal(empty.first.status, 200);
  },
);

testOverEach(
  stage,
  "with others: pass, what is not JSON goes on as it is, and JSON is changed",
  async ({ attack }) => {
    const answered = answerer(attack);
    const page = { fields: ["Content-Type: text/html", 'ETag: "a"'], body: "<p>" };
    const { first } = await answered("/lenient", page);
    assert.equal(first.body, "<p>");
    assert.deepEqual(valuesOf(first, "etag"), ['"a"']);
    const changed = await answered("/lenient", { body: '{"secret":1}' });
    assert.equal(changed.first.body, "{}");
  },
);
