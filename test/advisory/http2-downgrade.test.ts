/**
 * Request smuggling by downgrade (James Kettle, "HTTP/2: The Sequel is Always Worse", 2021; H2.CL and
 * H2.TE, CVE-2021-21295, CVE-2021-33193 and many more): HTTP/2 frames its messages, so a field name or
 * value may hold what ends a line, a head or a body in HTTP/1.1. A proxy that writes it into a request
 * to an HTTP/1.1 service writes a second request, which nobody has decided about; the length that a
 * caller claims or the coding that it names moves the border between two requests. Whatever would be
 * framing, a second request, a control byte or a connection field on the other side is refused.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { arrivalsOf, assertHarmless } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";
import {
  attackFields,
  attackHttp2,
  attackStatuses,
  fieldsWith,
  type Http2Evidence,
} from "../http2/attack.ts";
import type { Field } from "../http2/hpack.ts";
import { requestFields } from "../http2/peer.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const SMUGGLED = "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n";

  /** Refused at its head: nothing of it may reach the service. */
  const HEADS: readonly [name: string, ...fields: Field[]][] = [
    ["CR LF in a value", ...fieldsWith(["x", `a\r\n\r\n${SMUGGLED}`])],
    ["a bare LF in a value", ...fieldsWith(["x", "a\nx-y: z"])],
    ["a bare CR in a value", ...fieldsWith(["x", "a\rx-y: z"])],
    ["a NUL in a value", ...fieldsWith(["x", "a\0b"])],
    ["CR LF in a name", ...fieldsWith([`x: a\r\n\r\n${SMUGGLED}x`, "b"])],
    ["a line in a name", ...fieldsWith(["x: a\r\ntransfer-encoding", "chunked"])],
    ["a colon in a name", ...fieldsWith(["transfer-encoding:x", "chunked"])],
    ["a space behind a name", ...fieldsWith(["transfer-encoding ", "chunked"])],
    ["a tab before a name", ...fieldsWith(["\ttransfer-encoding", "chunked"])],
    ["an upper-case name", ...fieldsWith(["Transfer-Encoding", "chunked"])],
    ["an empty name", ...fieldsWith(["", "chunked"])],
    [
      "transfer-encoding (H2.TE)",
      ...fieldsWith([":method", "POST"], ["transfer-encoding", "chunked"]),
    ],
    ["transfer-encoding: identity", ...fieldsWith(["transfer-encoding", "identity"])],
    ["connection", ...fieldsWith(["connection", "close"])],
    ["connection that names a field", ...fieldsWith(["connection", "x-forwarded-for"])],
    ["keep-alive", ...fieldsWith(["keep-alive", "timeout=5"])],
    ["proxy-connection", ...fieldsWith(["proxy-connection", "close"])],
    ["upgrade", ...fieldsWith(["upgrade", "h2c"], ["http2-settings", "AAMAAABkAAQAAP__"])],
    ["te that is more than trailers", ...fieldsWith(["te", "trailers, chunked"])],
    [
      "a :method with a line",
      ...fieldsWith([":method", `GET / HTTP/1.1\r\nHost: api.example\r\n\r\nGET`]),
    ],
    ["a :method with a space", ...fieldsWith([":method", "GET /secret"])],
    [
      "a :path with a line",
      ...fieldsWith([":path", `/open HTTP/1.1\r\nHost: api.example\r\n\r\nGET /secret`]),
    ],
    ["a :path with a space", ...fieldsWith([":path", "/open HTTP/1.1"])],
    ["a :path with a tab", ...fieldsWith([":path", "/open\tHTTP/1.1"])],
    ["a :path with a fragment", ...fieldsWith([":path", "/open#/../secret"])],
    ["a :path that is a URL", ...fieldsWith([":path", "http://internal.example/secret"])],
    ["a :path without a slash", ...fieldsWith([":path", "@internal.example/secret"])],
    ["an empty :path", ...fieldsWith([":path", ""])],
    ["a :path of *", ...fieldsWith([":path", "*"])],
    ["a :scheme with a line", ...fieldsWith([":scheme", `http\r\nx-y: z`])],
    ["a :scheme that is a URL", ...fieldsWith([":scheme", "http://internal.example/secret?"])],
    ["an :authority with a line", ...fieldsWith([":authority", `api.example\r\nx-y: z`])],
    ["an :authority with a space", ...fieldsWith([":authority", "api.example x"])],
    ["an :authority with a path", ...fieldsWith([":authority", "api.example/secret"])],
    ["an :authority with user information", ...fieldsWith([":authority", "x@api.example"])],
    ["an empty :authority", ...fieldsWith([":authority", ""])],
    ["a Host that is not :authority", ...fieldsWith(["host", "internal.example"])],
    ["two Hosts", ...fieldsWith(["host", "api.example"], ["host", "internal.example"])],
    ["two :path", [":path", "/secret"], ...fieldsWith()],
    ["two :method", [":method", "DELETE"], ...fieldsWith()],
    ["two :authority", [":authority", "internal.example"], ...fieldsWith()],
    ["a late :path", ...fieldsWith(["x", "y"]), [":path", "/secret"]],
    ["an unknown pseudo-field", ...fieldsWith([":x-forwarded-for", "192.0.2.66"])],
    ["a :status", ...fieldsWith([":status", "200"])],
    ["a :protocol without CONNECT", ...fieldsWith([":protocol", "websocket"])],
    [
      "a content-length that is two",
      ...fieldsWith(["content-length", "0"], ["content-length", "40"]),
    ],
    ["a content-length with a sign", ...fieldsWith(["content-length", "+0"])],
    ["a content-length with a line", ...fieldsWith(["content-length", `0\r\n\r\n${SMUGGLED}`])],
    ["a content-length list", ...fieldsWith(["content-length", "0, 40"])],
    ["a content-length without a body", ...fieldsWith(["content-length", "40"])],
  ];

  for (const [name, ...fields] of HEADS) {
    test(`to ${upstream}: a request with ${name} is refused and nothing of it arrives`, async () => {
      const evidence = await attackFields(stage, fields);
      assertHarmless(evidence);
      const [status = 0] = attackStatuses(evidence);
      assert.ok([0, 400, 405, 501].includes(status), `status ${status}`);
      assertOnlySentinel(evidence);
    });
  }

  /** Names that a service may take for framing or for another field. */
  const LOOKALIKES: readonly [name: string, value: string][] = [
    ["transfer_encoding", "chunked"],
    ["content_length", "5"],
    ["transfer.encoding", "chunked"],
    ["x_forwarded_for", "192.0.2.66"],
    ["x-sallyport-assertion", "192.0.2.66"],
    ["x_sallyport_assertion", "192.0.2.66"],
    ["sallyport-decision", "192.0.2.66"],
    ["forwarded", "for=192.0.2.66"],
    ["proxy", "192.0.2.66"],
  ];

  for (const [name, value] of LOOKALIKES) {
    test(`to ${upstream}: the service never sees what a caller writes into ${name} over HTTP/2`, async () => {
      const evidence = await attackFields(stage, fieldsWith([name, value]), { spoofed: [value] });
      assertHarmless(evidence);
      const [status = 0] = attackStatuses(evidence);
      assert.ok([200, 400].includes(status), `status ${status}`);
    });
  }

  /** Refused at its body: no whole request of it may reach the service. */
  const BODIES: readonly [
    name: string,
    length: string | undefined,
    body: string,
    trailers?: readonly Field[],
  ][] = [
    ["a content-length of 0 before a body (H2.CL)", "0", SMUGGLED],
    ["a content-length within its body (H2.CL)", "5", `hello${SMUGGLED}`],
    ["a content-length beyond its body", "500", "hello"],
    ["a pseudo-field in trailers", undefined, "hello", [[":path", "/secret"]]],
    ["a line in trailers", undefined, "hello", [["x", `a\r\n\r\n${SMUGGLED}`]]],
    ["a line in the name of a trailer", undefined, "hello", [[`x: y\r\n\r\n${SMUGGLED}x`, "a"]]],
    ["transfer-encoding in trailers", undefined, "hello", [["transfer-encoding", "chunked"]]],
    ["an upper-case name in trailers", undefined, "hello", [["Host", "internal.example"]]],
  ];

  for (const [name, length, body, trailers] of BODIES) {
    test(`to ${upstream}: a request with ${name} is refused and no whole one arrives`, async () => {
      const lengths: Field[] = length === undefined ? [] : [["content-length", length]];
      const evidence = await attackFields(stage, fieldsWith([":method", "POST"], ...lengths), {
        body,
        ...(trailers === undefined ? {} : { trailers }),
      });
      assertHarmless(evidence);
      const [status = 0] = attackStatuses(evidence);
      assert.ok([0, 400].includes(status), `status ${status}`);
      assertOnlySentinel(evidence);
    });
  }

  /** What a caller may not say of itself is dropped from trailers as well. */
  for (const name of [
    "x-sallyport-assertion",
    "x-forwarded-for",
    "content-length",
    "host",
    "authorization",
  ]) {
    test(`to ${upstream}: ${name} in trailers does not reach the service`, async () => {
      const evidence = await attackFields(stage, fieldsWith([":method", "POST"]), {
        body: "hello",
        trailers: [[name, "192.0.2.66"]],
        spoofed: ["192.0.2.66"],
      });
      assertHarmless(evidence);
      assert.doesNotMatch(evidence.arrived.join(""), /192\.0\.2\.66/);
    });
  }

  test(`to ${upstream}: a body that looks like a request is a body`, async () => {
    const evidence = await attackFields(stage, fieldsWith([":method", "POST"]), { body: SMUGGLED });
    assertHarmless(evidence);
    assert.deepEqual(attackStatuses(evidence), [200]);
    assert.equal(arrivalsOf(evidence)[0]?.body, SMUGGLED);
  });

  test(`to ${upstream}: a body that looks like the end of chunks is a body`, async () => {
    const body = `0\r\n\r\n${SMUGGLED}`;
    const evidence = await attackFields(stage, fieldsWith([":method", "POST"]), { body });
    assertHarmless(evidence);
    assert.deepEqual(attackStatuses(evidence), [200]);
    assert.equal(arrivalsOf(evidence)[0]?.body, body);
  });

  test(`to ${upstream}: each stream of a connection is a request with a decision of its own`, async () => {
    const token = stage.issuer.token({ roles: ["Admin"] });
    const evidence = await attackHttp2(stage, [1, 3, 5, 7], (caller) => {
      caller.headers(1, [
        ...requestFields("GET", "/guarded/x"),
        ["authorization", `Bearer ${token}`],
      ]);
      caller.headers(3, requestFields("GET", "/guarded/x"));
      caller.headers(5, requestFields("GET", "/secret"));
      caller.headers(7, requestFields("GET", "/open"));
    });
    assertHarmless(evidence);
    assert.deepEqual(
      [1, 3, 5, 7].map((id) => attackStatuses({ ...evidence, streams: only(evidence, id) })[0]),
      [200, 401, 403, 200],
    );
  });

  function only({ streams }: Http2Evidence, id: number): Http2Evidence["streams"] {
    return new Map([...streams].filter(([one]) => one === id));
  }

  /** Nothing whole arrived but the good request behind the attack. */
  function assertOnlySentinel(evidence: Http2Evidence): void {
    assert.deepEqual(
      arrivalsOf(evidence)
        .map(({ target }) => target)
        .filter((target) => target !== "/sentinel"),
      [],
    );
  }
}
