/**
 * RFC 9113 section 8 against the running engine: what is a request and what is malformed. Whatever is
 * malformed is refused on its stream alone, and nothing of it reaches the service. The list is
 * http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS } from "../http2/codes.ts";
import { dataFrame, headersFrame } from "../http2/frames.ts";
import { assertAlive, assertMalformed, codeName, Http2Ground } from "../http2/ground.ts";
import { encodeLiterals, type Field } from "../http2/hpack.ts";
import { answerFields, requestFields, statusOf } from "../http2/peer.ts";

const GET = requestFields("GET", "/");
const POST = requestFields("POST", "/");
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

/** The four pseudo-fields, one of them replaced, or taken out with undefined. */
function without(name: string, ...instead: Field[]): Field[] {
  return [...instead, ...GET.filter(([field]) => field !== name)];
}

const MALFORMED: readonly [name: string, ...fields: Field[]][] = [
  // Section 8.2.
  ["a field name in upper case is malformed", ...GET, ["X-Upper", "x"]],
  // Section 8.2.1.
  ["an empty field name is malformed", ...GET, ["", "x"]],
  ["a field name with a control byte is malformed", ...GET, ["x\x01y", "x"]],
  ["a field name with a space is malformed", ...GET, ["x y", "x"]],
  ["a field name with a byte above 0x7e is malformed", ...GET, ["x\xe4", "x"]],
  ["a field name with DEL is malformed", ...GET, ["x\x7f", "x"]],
  ["a field name with a colon is malformed", ...GET, ["x:y", "x"]],
  ["a field name with CR LF is malformed", ...GET, ["x: y\r\nz", "x"]],
  ["a field value with NUL is malformed", ...GET, ["x", "a\0b"]],
  ["a field value with LF is malformed", ...GET, ["x", "a\nb"]],
  ["a field value with CR is malformed", ...GET, ["x", "a\rb"]],
  ["a field value that begins with a space is malformed", ...GET, ["x", " a"]],
  ["a field value that ends with a tab is malformed", ...GET, ["x", "a\t"]],
  // Section 8.2.2.
  ["a connection field is malformed", ...GET, ["connection", "keep-alive"]],
  ["a proxy-connection field is malformed", ...GET, ["proxy-connection", "keep-alive"]],
  ["a keep-alive field is malformed", ...GET, ["keep-alive", "timeout=5"]],
  ["a transfer-encoding field is malformed", ...GET, ["transfer-encoding", "chunked"]],
  ["an upgrade field is malformed", ...GET, ["upgrade", "h2c"]],
  ["a te field that is not trailers is malformed", ...GET, ["te", "gzip"]],
  ["a te field that is trailers and more is malformed", ...GET, ["te", "trailers, deflate"]],
  // Section 8.3.
  ["an unknown pseudo-field is malformed", ...GET, [":unknown", "x"]],
  ["a pseudo-field of responses in a request is malformed", ...GET, [":status", "200"]],
  ["a pseudo-field behind a field is malformed", ["x", "y"], ...GET],
  [
    "the last pseudo-field behind a field is malformed",
    ...GET.slice(0, 3),
    ["x", "y"],
    ...GET.slice(3),
  ],
  // Section 8.3.1.
  ["a request without :method is malformed", ...without(":method")],
  ["a request without :scheme is malformed", ...without(":scheme")],
  ["a request without :path is malformed", ...without(":path")],
  ["a request with an empty :path is malformed", ...without(":path", [":path", ""])],
  ["a request with two :method is malformed", [":method", "GET"], ...GET],
  ["a request with two :scheme is malformed", [":scheme", "http"], ...GET],
  ["a request with two :path is malformed", [":path", "/"], ...GET],
  ["a request with two :authority is malformed", [":authority", "api.example"], ...GET],
  [
    "an :authority with user information is malformed",
    ...without(":authority", [":authority", "user@api.example"]),
  ],
  ["an :authority that is not Host is malformed", ...GET, ["host", "other.example"]],
  ["two Hosts are malformed", ...GET, ["host", "api.example"], ["host", "other.example"]],
  ["a request for nobody is malformed", ...without(":authority")],
  ["a :path that is not a path is malformed", ...without(":path", [":path", "path"])],
  [
    "a :path of * with another method than OPTIONS is malformed",
    ...without(":path", [":path", "*"]),
  ],
  ["an empty :method is malformed", ...without(":method", [":method", ""])],
  ["a :method that is no token is malformed", ...without(":method", [":method", "GET / HTTP/1.1"])],
  // Section 8.5.
  ["a CONNECT with :path and :scheme is malformed", ...without(":method", [":method", "CONNECT"])],
  ["a CONNECT without :authority is malformed", [":method", "CONNECT"]],
];

for (const [name, ...fields] of MALFORMED) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.headers(1, fields);
    await assertMalformed(caller, 1);
    assert.deepEqual(
      ground.arrived().map(({ target }) => target),
      ["/alive"],
    );
  });
}

/** What is malformed only as its body comes: the service may have seen its beginning, never a whole. */
const MALFORMED_BODIES: readonly [name: string, ...bytes: Buffer[]][] = [
  [
    "a content-length above the sum of DATA is malformed",
    headersFrame(1, encodeLiterals([...POST, ["content-length", "6"]]), FLAGS.endHeaders),
    dataFrame(1, "hello", FLAGS.endStream),
  ],
  [
    "a content-length below the sum of DATA is malformed",
    headersFrame(1, encodeLiterals([...POST, ["content-length", "4"]]), FLAGS.endHeaders),
    dataFrame(1, "hello", FLAGS.endStream),
  ],
  [
    "a content-length below the first DATA of more is malformed",
    headersFrame(1, encodeLiterals([...POST, ["content-length", "4"]]), FLAGS.endHeaders),
    dataFrame(1, "hello"),
  ],
  [
    "a content-length with END_STREAM on HEADERS is malformed",
    headersFrame(1, encodeLiterals([...POST, ["content-length", "5"]]), WHOLE),
  ],
  [
    "two content-lengths that differ are malformed",
    headersFrame(
      1,
      encodeLiterals([...POST, ["content-length", "5"], ["content-length", "6"]]),
      FLAGS.endHeaders,
    ),
    dataFrame(1, "hello", FLAGS.endStream),
  ],
  [
    "a content-length that is no number is malformed",
    headersFrame(1, encodeLiterals([...POST, ["content-length", "+5"]]), FLAGS.endHeaders),
    dataFrame(1, "hello", FLAGS.endStream),
  ],
  [
    "a second HEADERS without END_STREAM is malformed",
    headersFrame(1, encodeLiterals(POST), FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([["x-trailer", "x"]]), FLAGS.endHeaders),
    dataFrame(1, "", FLAGS.endStream),
  ],
  [
    "a pseudo-field in trailers is malformed",
    headersFrame(1, encodeLiterals(POST), FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([[":path", "/other"]]), WHOLE),
  ],
  [
    "a field name in upper case in trailers is malformed",
    headersFrame(1, encodeLiterals(POST), FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([["X-Trailer", "x"]]), WHOLE),
  ],
  [
    "a field value with CR LF in trailers is malformed",
    headersFrame(1, encodeLiterals(POST), FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([["x", "a\r\n\r\nGET /smuggled HTTP/1.1"]]), WHOLE),
  ],
  [
    "a connection field in trailers is malformed",
    headersFrame(1, encodeLiterals(POST), FLAGS.endHeaders),
    dataFrame(1, "hello"),
    headersFrame(1, encodeLiterals([["transfer-encoding", "chunked"]]), WHOLE),
  ],
];

for (const [name, ...bytes] of MALFORMED_BODIES) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.send(...bytes);
    await assertMalformed(caller, 1);
    assert.deepEqual(
      ground.arrived().map(({ target }) => target),
      ["/alive"],
      "no whole request arrived",
    );
  });
}

/** What must be taken, and how it reaches the service. */
const WELL_FORMED: readonly [name: string, arrives: string, ...fields: Field[]][] = [
  ["te: trailers is taken", "", ...GET, ["te", "trailers"]],
  ["an empty field value is taken", "x: ", ...GET, ["x", ""]],
  ["a field value with bytes above 0x7f is taken", "x: \xc3\xa4", ...GET, ["x", "\xc3\xa4"]],
  [
    "cookies in pieces arrive as one field",
    "cookie: a=b; c=d; e=f",
    ...GET,
    ["cookie", "a=b"],
    ["cookie", "c=d"],
    ["cookie", "e=f"],
  ],
  ["pseudo-fields come in any order", "host: api.example", ...GET.toReversed()],
  [
    "a Host that agrees with :authority is taken",
    "host: api.example",
    ...GET,
    ["host", "api.example"],
  ],
  [
    "a Host without :authority is taken",
    "host: api.example",
    ...without(":authority"),
    ["host", "api.example"],
  ],
  ["priority of RFC 9218 is passed on", "priority: u=1", ...GET, ["priority", "u=1"]],
];

for (const [name, arrives, ...fields] of WELL_FORMED) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.headers(1, fields);
    assert.equal(statusOf(await caller.answer(1)), 200);
    const [request] = ground.arrived();
    const lines = (request?.fields ?? []).map((field) => field.join(": "));
    if (arrives !== "") assert.ok(lines.includes(arrives), lines.join("\n"));
    assert.equal(lines.filter((line) => line.startsWith("host: ")).length, 1);
    assert.equal(lines.filter((line) => line.startsWith("te: ")).length, 0);
  });
}

test("a body of unknown length reaches an HTTP/1.1 service whole", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, POST, false);
  for (const piece of ["", "hel", "lo", ""]) caller.data(1, piece);
  caller.data(1, "", true);
  assert.equal(statusOf(await caller.answer(1)), 200);
  assert.equal(ground.arrived()[0]?.body, "hello");
});

test("a body with a content-length reaches an HTTP/1.1 service with that length", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, [...POST, ["content-length", "5"]], false);
  caller.data(1, "hello", true);
  assert.equal(statusOf(await caller.answer(1)), 200);
  const [request] = ground.arrived();
  assert.equal(request?.body, "hello");
  assert.ok(request?.fields.some(([name, value]) => name === "content-length" && value === "5"));
});

test("trailers of a request are no part of its head", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, POST, false);
  caller.data(1, "hello");
  caller.headers(1, [["x-trailer", "late"]]);
  assert.equal(statusOf(await caller.answer(1)), 200);
  const [request] = ground.arrived();
  assert.equal(request?.body, "hello");
  assert.equal(
    request?.fields.some(([name]) => name === "x-trailer"),
    false,
  );
});

test("trailers without DATA before them end a request", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  for (const [index, trailers] of [[], [["x-trailer", "late"]] as const].entries()) {
    const id = index * 2 + 1;
    // In one read, and in two: the second comes when the first has been handled.
    if (index === 1) await caller.roundTrip();
    caller.headers(id, POST, false);
    if (index === 1) await caller.roundTrip();
    caller.headers(id, trailers);
    assert.equal(statusOf(await caller.answer(id)), 200);
  }
  assert.deepEqual(
    ground.arrived().map(({ body }) => body),
    ["", ""],
  );
});

test("trailers of an answer come as trailers", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => ({
    bytes:
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Late: yes\r\n\r\n",
  }));
  const caller = await ground.caller();
  const seen = await caller.get(1, "/", [["te", "trailers"]]);
  assert.equal(String(seen.body), "hello");
  assert.deepEqual(seen.heads[1], [["x-late", "yes"]]);
});

test("an answer has :status first, no other pseudo-field and no connection field", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => ({
    bytes:
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Kept: Yes\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  }));
  const caller = await ground.caller();
  const fields = answerFields(await caller.get(1));
  assert.deepEqual(fields[0], [":status", "200"]);
  const names = fields.slice(1).map(([name]) => name);
  assert.ok(names.includes("x-kept"));
  for (const name of names) {
    assert.match(name, /^[a-z0-9-]+$/);
    assert.doesNotMatch(name, /^(?:connection|keep-alive|x-hop|transfer-encoding|upgrade)$/);
  }
});

test("an interim answer is passed on before the final one", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, [...POST, ["expect", "100-continue"], ["content-length", "5"]], false);
  await caller.until("100", () => caller.stream(1).heads.length === 1);
  assert.deepEqual(caller.stream(1).heads[0]?.[0], [":status", "100"]);
  caller.data(1, "hello", true);
  assert.equal(statusOf(await caller.answer(1)), 200);
});

test("the answer to HEAD has its content-length and no DATA", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, requestFields("HEAD", "/"));
  const seen = await caller.answer(1);
  assert.equal(statusOf(seen), 200);
  assert.equal(seen.body.length, 0);
  const length = answerFields(seen).find(([name]) => name === "content-length")?.[1];
  assert.ok(Number(length) > 0);
});

test("an answer that the service cuts off is reset, not ended", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => ({
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun",
    close: true,
  }));
  const caller = await ground.caller();
  const seen = await caller.get(1);
  assert.equal(seen.ended, false);
  assert.notEqual(seen.reset, undefined);
  assert.notEqual(codeName(seen.reset), "noError");
  ground.service.script(undefined);
  await assertAlive(caller);
});

test("an answer before the end of the body asks for no more of it", async () => {
  await using ground = await Http2Ground.start({
    handle: (exchange) => exchange.reply(413, [], "enough"),
  });
  const caller = await ground.caller();
  caller.headers(1, POST, false);
  caller.data(1, "begun");
  const seen = await caller.answer(1);
  assert.equal(statusOf(seen), 413);
  assert.equal(String(seen.body), "enough");
  ground.loopback.pass(1000);
  await caller.until("RST_STREAM", () => seen.reset !== undefined);
  assert.equal(codeName(seen.reset), "noError");
});

test("a plain CONNECT is refused", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(
    1,
    [
      [":method", "CONNECT"],
      [":authority", "api.example:443"],
    ],
    false,
  );
  const seen = await caller.answer(1);
  assert.ok([400, 405, 501].includes(statusOf(seen) ?? 0) || seen.reset === CODE.protocolError);
  await assertAlive(caller);
  assert.equal(ground.arrived().length, 1);
});

test("OPTIONS with a :path of * is a request", async () => {
  await using ground = await Http2Ground.start({
    handle: (exchange) => exchange.reply(200, [], JSON.stringify({ target: exchange.head.target })),
  });
  const caller = await ground.caller();
  caller.headers(1, requestFields("OPTIONS", "*"));
  assert.equal(statusOf(await caller.answer(1)), 200);
});

test("two content-lengths that agree are taken as one or refused", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, [...POST, ["content-length", "5"], ["content-length", "5"]], false);
  caller.data(1, "hello", true);
  const status = statusOf(await caller.answer(1));
  assert.ok(status === 200 || status === 400, String(status));
  for (const { fields } of ground.arrived()) {
    assert.equal(fields.filter(([name]) => name === "content-length").length, 1);
  }
});
