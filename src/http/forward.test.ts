import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { Loopback, type LoopbackOptions, ManualService, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nDate: d\r\n";

function started(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback(options).start();
}

/** A request that has reached the service. */
async function reached(
  proxy: Loopback,
  request: string = GET,
): Promise<{ caller: RawPeer; service: RawPeer }> {
  const caller = await proxy.caller();
  caller.send(request);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  return { caller, service };
}

test("a request and its answer pass through, and both connections are kept", async () => {
  await using proxy = await started();
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  assert.equal(await service.until("\r\n\r\n"), "GET /a?b=1 HTTP/1.1\r\nhost: x\r\n\r\n");
  service.send(`${OK}Content-Length: 2\r\n\r\nhi`);
  assert.equal(
    await caller.until("hi"),
    "HTTP/1.1 200 OK\r\ndate: d\r\ncontent-length: 2\r\n\r\nhi",
  );
  caller.send(GET);
  await service.until("\r\n\r\n");
  service.send("HTTP/1.1 204 No Content\r\n\r\n");
  await caller.until("HTTP/1.1 204 No Content\r\n");
  assert.deepEqual(
    proxy.outcomes.map((outcome) => [outcome.status, outcome.end, outcome.responseBytes]),
    [
      [200, "complete", 2],
      [204, "complete", 0],
    ],
  );
  assert.equal(proxy.outcomes[0]?.upstream, `127.0.0.1:${proxy.service.port}`);
  assert.equal(proxy.service.connections.length, 1);
});

test("hop-by-hop fields of an answer, and what its Connection names, end here", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send(
    `${OK}Connection: x-private, close\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nX-Public: 2\r\nContent-Length: 2\r\n\r\nhi`,
  );
  assert.equal(
    await caller.until("hi"),
    "HTTP/1.1 200 OK\r\ndate: d\r\nx-public: 2\r\ncontent-length: 2\r\n\r\nhi",
  );
  // The service said close, so its connection is not used again.
  await service.untilEnd();
});

test("a request body passes in its framing", async (t) => {
  const cases: [name: string, sent: string, got: string, bytes: number][] = [
    ["length", "Content-Length: 5\r\n\r\nhello", "content-length: 5\r\n\r\nhello", 5],
    ["empty length", "Content-Length: 0\r\n\r\n", "content-length: 0\r\n\r\n", 0],
    [
      "chunked",
      "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
      "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
      6,
    ],
    [
      "trailers",
      "Transfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\nX-Sum: 9\r\nAuthorization: Bearer x\r\n\r\n",
      "transfer-encoding: chunked\r\n\r\n1\r\n!\r\n0\r\nx-sum: 9\r\n\r\n",
      1,
    ],
  ];
  for (const [name, sent, got, bytes] of cases) {
    await t.test(name, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy, `POST /p HTTP/1.1\r\nHost: x\r\n${sent}`);
      while (!service.text.endsWith(got)) await service.until(/[^]/);
      assert.equal(service.text, `POST /p HTTP/1.1\r\nhost: x\r\n${got}`);
      service.send(`${OK}Content-Length: 0\r\n\r\n`);
      await caller.until("content-length: 0\r\n\r\n");
      assert.equal((await proxy.outcome(0)).requestBytes, bytes);
    });
  }
});

test("an answer's body passes, framed for the caller", async (t) => {
  const v11 = GET;
  const v10 = "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
  const head = GET.replace("GET", "HEAD");
  const chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\nyou\r\n0\r\nX-T: 1\r\n\r\n";
  const cases: [name: string, request: string, answer: string, closes: boolean, got: string][] = [
    ["chunked to 1.1", v11, `${OK}${chunks}`, false, chunks.toLowerCase()],
    ["chunked to 1.0", v10, `${OK}${chunks}`, false, "connection: close\r\n\r\nhiyou"],
    [
      "until close to 1.1",
      v11,
      `${OK}\r\nhiyou`,
      true,
      "transfer-encoding: chunked\r\n\r\n5\r\nhiyou\r\n0\r\n\r\n",
    ],
    ["until close to 1.0", v10, `${OK}\r\nhiyou`, true, "connection: close\r\n\r\nhiyou"],
    [
      "length to 1.0",
      v10,
      `${OK}Content-Length: 2\r\n\r\nhi`,
      false,
      "content-length: 2\r\nconnection: keep-alive\r\n\r\nhi",
    ],
    ["HEAD", head, `${OK}Content-Length: 7\r\n\r\n`, false, "content-length: 7\r\n\r\n"],
    ["HEAD, chunked", head, `${OK}Transfer-Encoding: chunked\r\n\r\n`, false, "\r\n"],
    ["HEAD without framing", head, `${OK}\r\n`, false, "\r\n"],
    ["204", v11, "HTTP/1.1 204 No\r\nDate: d\r\n\r\n", false, "\r\n"],
    [
      "304 with a length",
      v11,
      "HTTP/1.1 304 No\r\nDate: d\r\nContent-Length: 9\r\n\r\n",
      false,
      "content-length: 9\r\n\r\n",
    ],
    ["304", v11, "HTTP/1.1 304 No\r\nDate: d\r\n\r\n", false, "\r\n"],
  ];
  for (const [name, request, answer, closes, got] of cases) {
    await t.test(name, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy, request);
      service.send(answer);
      if (closes) service.end();
      assert.equal((await proxy.outcome(0)).end, "complete");
      while (!caller.text.endsWith(got)) await caller.until(/[^]/);
      assert.equal(caller.text.replace(/^HTTP.*\r\ndate: d\r\n/, ""), got);
      if (got.includes("connection: close")) await caller.untilEnd();
    });
  }
});

test("an answer is the same however its bytes are cut", async () => {
  await using proxy = await started();
  const answer = `HTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`;
  const want =
    "HTTP/1.1 200 OK\r\ndate: d\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  const { caller, service } = await reached(proxy);
  for (let cut = 1; cut < answer.length; cut += 1) {
    if (cut > 1) {
      caller.send(GET);
      await service.until("\r\n\r\n");
    }
    service.send(answer.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    service.send(answer.slice(cut));
    const got = await caller.until("0\r\n\r\n");
    // A chunk that arrives in two parts goes out as two.
    assert.equal(got.replace("1\r\nh\r\n1\r\ni\r\n", "2\r\nhi\r\n"), want, `cut at ${cut}`);
  }
  assert.equal(proxy.service.connections.length, 1);
});

test("an event stream is passed on as it comes", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
  await caller.until("\r\n\r\n");
  for (const event of ["a", "b", "c"]) {
    service.send(`1\r\n${event}\r\n`);
    assert.equal(await caller.until(`${event}\r\n`), `1\r\n${event}\r\n`);
  }
});

test("Expect: 100-continue is answered once the request is on its way, and not passed on", async () => {
  await using proxy = await started();
  const caller = await proxy.caller();
  caller.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  assert.equal(await caller.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  const service = await proxy.service.accepted();
  assert.equal(
    await service.until("\r\n\r\n"),
    "PUT /a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n",
  );
  caller.send("body");
  await service.until("body");
  service.send(`HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 0\r\n\r\n`);
  assert.match(await caller.until("content-length: 0\r\n\r\n"), /^HTTP\/1.1 200/);
});

test("Expect: 100-continue is not answered where no service can be reached", async () => {
  const nobody = await unusedPort();
  await using proxy = await started({ endpoints: [nobody] });
  const caller = await proxy.caller();
  caller.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 502 [^]*connection: close\r\n/);
});

test("an early answer is passed on and both connections close", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(
    proxy,
    "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome",
  );
  service.send("HTTP/1.1 413 No\r\nDate: d\r\nContent-Length: 2\r\n\r\nno");
  assert.equal(
    await caller.untilEnd(),
    "HTTP/1.1 413 Content Too Large\r\ndate: d\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
  );
  caller.send("more of it that nobody reads");
  await service.untilEnd();
  const outcome = await proxy.outcome(0);
  assert.deepEqual([outcome.status, outcome.end, outcome.requestBytes], [413, "complete", 4]);
});

test("a service that answers while it reads gets the rest of the body", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(
    proxy,
    "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
  );
  await service.until("a\r\n");
  service.send(`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nA\r\n`);
  assert.match(await caller.until("A\r\n"), /connection: close/);
  caller.send("1\r\nb\r\n0\r\n\r\n");
  await service.until("0\r\n\r\n");
  service.send("1\r\nB\r\n0\r\n\r\n");
  await caller.until("0\r\n\r\n");
  await caller.untilEnd();
  assert.equal((await proxy.outcome(0)).end, "complete");
});

test("what a service may not answer is a 502 and its connection closes", async (t) => {
  const cases: [name: string, answer: string][] = [
    ["garbage", "SSH-2.0-x\r\n\r\n"],
    ["two lengths", `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
    ["length and chunked", `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ["bytes after the answer", `${OK}Content-Length: 1\r\n\r\nab`],
    ["bytes after an answer without body", "HTTP/1.1 204 No\r\n\r\na"],
    ["bytes after an answer to HEAD", "HEAD"],
    ["101", "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
    ["a flood of interim answers", "HTTP/1.1 103 Hint\r\n\r\n".repeat(20)],
    ["a folded line", `${OK}A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n`],
    ["an endless head", `${OK}A: ${"b".repeat(100_000)}`],
    ["end within the head", "HTTP/1.1 200 OK\r\nA:"],
  ];
  for (const [name, answer] of cases) {
    await t.test(name, async () => {
      await using proxy = await started();
      const head = answer === "HEAD";
      const { caller, service } = await reached(proxy, head ? GET.replace("GET", "HEAD") : GET);
      service.send(head ? `${OK}Content-Length: 1\r\n\r\na` : answer);
      if (name.startsWith("end ")) service.end();
      assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
      const outcome = await proxy.outcome(0);
      assert.deepEqual([outcome.status, outcome.end], [502, "upstream-protocol"]);
      await service.untilEnd();
      // The caller's own connection is in order.
      caller.send(GET);
      const next = await proxy.service.accepted();
      await next.until("\r\n\r\n");
    });
  }
});

test("an answer in HTTP/2 behind an http: endpoint is a 502 that says so", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64");
  service.end();
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
  const { end, detail } = await proxy.outcome(0);
  assert.equal(end, "upstream-protocol");
  assert.equal(detail, "an answer in HTTP/2 where HTTP/1.1 has to be");
});

test("an answer that is cut short after its head went out cuts the caller off", async (t) => {
  const cases: [name: string, answer: string, end: "fin" | "reset" | "stay"][] = [
    ["length", `${OK}Content-Length: 9\r\n\r\nabc`, "fin"],
    ["chunked", `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "fin"],
    ["chunked garbage", `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz`, "stay"],
    ["until close, reset", `${OK}\r\nabc`, "reset"],
  ];
  for (const [name, answer, end] of cases) {
    await t.test(name, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy);
      service.send(answer.replace(/zz$/, ""));
      await caller.until("abc");
      if (end === "fin") service.end();
      else if (end === "reset") service.socket.resetAndDestroy();
      else service.send("zz");
      const outcome = await proxy.outcome(0);
      assert.deepEqual([outcome.status, outcome.end], [200, "upstream-protocol"]);
      const rest = await caller.untilEnd();
      assert.doesNotMatch(rest, /0\r\n\r\n/);
    });
  }
});

test("bytes after the body of a long answer cut the caller off", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Content-Length: 4\r\n\r\nab`);
  await caller.until("ab");
  service.send(`cd${OK}Content-Length: 0\r\n\r\n`);
  assert.equal((await proxy.outcome(0)).end, "upstream-protocol");
  assert.doesNotMatch(await caller.untilEnd(), /HTTP/);
});

test("a service that closes or resets without an answer is a 502", async (t) => {
  for (const how of ["end", "destroy"] as const) {
    await t.test(how, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy);
      service[how]();
      assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
      assert.equal((await proxy.outcome(0)).end, "upstream-unreachable");
      // Not sent again: the connection was new, the service may have acted on it.
      assert.equal(proxy.service.connections.length, 1);
    });
  }
});

test("a service that does not answer is a 504", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  proxy.pass(1999);
  assert.equal(proxy.outcomes.length, 0);
  proxy.pass(2);
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 504 /);
  assert.equal((await proxy.outcome(0)).end, "upstream-timeout");
  await service.untilEnd();
});

test("a service that stops within its answer cuts the caller off", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Content-Length: 9\r\n\r\nabc`);
  await caller.until("abc");
  proxy.pass(2999);
  service.send("def");
  await caller.until("def");
  proxy.pass(2999);
  assert.equal(proxy.outcomes.length, 0);
  proxy.pass(2);
  assert.equal((await proxy.outcome(0)).end, "upstream-timeout");
  await caller.untilEnd();
});

test("the whole exchange has a bound", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
  await caller.until("\r\n\r\n");
  for (let second = 0; second < 9; second += 1) {
    proxy.pass(1000);
    service.send("1\r\na\r\n");
    await caller.until("a\r\n");
  }
  assert.equal(proxy.outcomes.length, 0);
  proxy.pass(1001);
  assert.equal((await proxy.outcome(0)).end, "upstream-timeout");
  await caller.untilEnd();
});

test("a caller that stops sending its body is answered 408", async () => {
  await using proxy = await started({ limits: { bodyTimeout: "1s" } });
  const { caller, service } = await reached(
    proxy,
    "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
  );
  await service.until("abc");
  proxy.pass(1101);
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 408 [^]*connection: close/);
  const outcome = await proxy.outcome(0);
  assert.deepEqual([outcome.status, outcome.end], [408, "request-timeout"]);
  await service.untilEnd();
});

test("a caller that trickles its body is answered 408, one that keeps up is not", async () => {
  await using proxy = await started({
    limits: { bodyTimeout: "2s", bodyRate: "10B" },
    request: { idleTimeoutMs: 60_000, totalTimeoutMs: 60_000 },
  });
  const post = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
  const fast = await reached(proxy, post);
  const slow = await reached(proxy, post);
  for (let second = 0; second < 6; second += 1) {
    fast.caller.send("0123456789");
    await fast.service.until("0123456789");
    if (slow.caller.ended) break;
    slow.caller.send("x");
    await Promise.race([slow.service.until("x"), slow.caller.untilEnd()]);
    proxy.pass(950);
  }
  assert.match(await slow.caller.untilEnd(), /^HTTP\/1.1 408 /);
  assert.deepEqual(
    proxy.outcomes.map((outcome) => outcome.end),
    ["request-timeout"],
  );
});

test("a body beyond the limit is answered 413", async (t) => {
  const cases: [name: string, framing: string, reaches: boolean][] = [
    ["length", "Content-Length: 2000\r\n\r\n", false],
    ["chunked", `Transfer-Encoding: chunked\r\n\r\n7d0\r\n${"b".repeat(2000)}\r\n`, true],
  ];
  const where: [string, LoopbackOptions][] = [
    ["listener", { limits: { bodyBytes: "1KiB" } }],
    ["route", { request: { maxBodyBytes: 1024 } }],
  ];
  for (const [name, framing] of cases) {
    for (const [whose, options] of where) {
      await t.test(`${name}, ${whose}`, async () => {
        await using proxy = await started(options);
        const caller = await proxy.caller();
        caller.send(`POST /p HTTP/1.1\r\nHost: x\r\n${framing}`);
        assert.match(await caller.until("body-too-large"), /^HTTP\/1.1 413 /);
        assert.equal((await proxy.outcome(0)).end, "body-too-large");
        for (const service of proxy.service.connections) await service.untilEnd();
      });
    }
  }
});

test("a body whose framing breaks is answered 400 and never completed at the service", async () => {
  await using proxy = await started();
  const { caller, service } = await reached(
    proxy,
    "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
  );
  caller.send("zz\r\n");
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 400 [^]*connection: close/);
  assert.equal((await proxy.outcome(0)).end, "malformed-request");
  await service.untilEnd();
  assert.doesNotMatch(service.text, /0\r\n\r\n/);
});

test("a caller that vanishes takes its request with it", async (t) => {
  const post = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
  for (const how of ["end", "destroy"] as const) {
    await t.test(`${how} before the answer`, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy);
      caller[how]();
      assert.equal((await proxy.outcome(0)).end, "caller-gone");
      await service.untilEnd();
    });
    await t.test(`${how} within the request body`, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy, post);
      caller[how]();
      assert.equal((await proxy.outcome(0)).end, "caller-gone");
      await service.untilEnd();
    });
    await t.test(`${how} within the answer`, async () => {
      await using proxy = await started();
      const { caller, service } = await reached(proxy);
      service.send(`${OK}Content-Length: 9\r\n\r\nabc`);
      await caller.until("abc");
      caller[how]();
      const outcome = await proxy.outcome(0);
      assert.deepEqual([outcome.status, outcome.end], [200, "caller-gone"]);
      await service.untilEnd();
    });
  }
  await t.test("while connecting", async () => {
    await using proxy = await started({ upstream: { openSocket: () => neverConnecting() } });
    const caller = await proxy.caller();
    caller.send(GET);
    while (proxy.exchanges.length === 0) await proxy.changed();
    caller.destroy();
    assert.equal((await proxy.outcome(0)).end, "caller-gone");
  });
});

test("a defect in the handler's response fields is answered 500", async () => {
  await using proxy = await started({
    handle: (exchange, loopback) => {
      loopback.upstream.forward(
        exchange,
        { ...loopback.upstreamRequest(exchange) },
        {
          ...loopback.observer(),
          responseFields: () => {
            throw new Error("a defect");
          },
        },
      );
    },
  });
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Content-Length: 2\r\n\r\nhi`);
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 500 /);
  assert.equal((await proxy.outcome(0)).end, "internal-error");
  await service.untilEnd();
});

test("a handler that cannot say what went wrong cuts the caller off, and it is logged", async () => {
  await using proxy = await started({
    handle: (exchange, loopback) => {
      loopback.upstream.forward(exchange, loopback.upstreamRequest(exchange), {
        ...loopback.observer(),
        fault: () => {
          throw new Error("a defect");
        },
      });
    },
  });
  const { caller, service } = await reached(proxy);
  service.destroy();
  assert.equal(await caller.untilEnd(), "");
  assert.equal((await proxy.outcome(0)).end, "internal-error");
  assert.deepEqual(proxy.logged, ["an answer could not be given"]);
});

test("a handler that fails at the end of an exchange is logged, and the next one goes on", async () => {
  await using proxy = await started({
    handle: (exchange, loopback) => {
      loopback.upstream.forward(exchange, loopback.upstreamRequest(exchange), {
        ...loopback.observer(),
        done: () => {
          throw new Error("a defect");
        },
      });
    },
  });
  const { caller, service } = await reached(proxy);
  service.send(`${OK}Content-Length: 2\r\n\r\nhi`);
  await caller.until("hi");
  assert.deepEqual(proxy.logged, ["a defect in a connection to a service"]);
  caller.send(GET);
  await (await proxy.service.accepted()).until("\r\n\r\n");
});

/** A port that nothing listens on. */
async function unusedPort(): Promise<number> {
  await using service = new ManualService();
  await service.listen();
  return service.port;
}

function neverConnecting(): Socket {
  return new Socket();
}
