import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { parseAddress } from "./address.ts";
import { crc32c } from "./crc32c.ts";
import { isProxyHeaderFault, parseProxyHeader } from "./proxy-protocol.ts";
import { proxyHeader } from "./proxy-protocol.fixture.ts";

function outcome(bytes: Uint8Array): string {
  const result = parseProxyHeader(bytes);
  if (result === undefined) return "more";
  if (isProxyHeaderFault(result)) return `refused: ${result.fault}`;
  const { source, length } = result;
  return source === undefined ? `local ${length}` : `${source.address} ${source.port} ${length}`;
}

test("crc32c() gives the check value of the algorithm", () => {
  assert.equal(crc32c(Buffer.from("123456789"), -8), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32), -8), 0x8a9136aa, "RFC 3720 appendix B.4");
});

const good: readonly [title: string, bytes: Buffer, result: string][] = [
  ["TCP over IPv4", proxyHeader({ address: "192.0.2.1", port: 4711 }), "192.0.2.1 4711 28"],
  ["TCP over IPv6", proxyHeader({ address: "2001:db8::1", port: 80 }), "2001:db8::1 80 52"],
  ["a mapped address", proxyHeader({ address: "::ffff:192.0.2.1", port: 1 }), "192.0.2.1 1 52"],
  ["LOCAL without addresses", proxyHeader({ command: 0, family: 0 }), "local 16"],
  ["LOCAL with addresses", proxyHeader({ command: 0, address: "192.0.2.1" }), "local 28"],
  [
    "extensions, which are passed over",
    proxyHeader({ address: "192.0.2.1", port: 1, extensions: [0x01, 0, 2, 104, 50, 0x04, 0, 0] }),
    "192.0.2.1 1 36",
  ],
  ["a checksum", proxyHeader({ address: "192.0.2.1", port: 1, checksum: 0 }), "192.0.2.1 1 35"],
];
for (const [title, bytes, result] of good) {
  test(`parseProxyHeader() reads ${title}, and says when it needs more`, () => {
    assert.equal(outcome(bytes), result);
    assert.equal(outcome(Buffer.concat([bytes, Buffer.from("GET / HTTP/1.1\r\n")])), result);
    for (let cut = 1; cut < bytes.length; cut++) {
      assert.equal(outcome(bytes.subarray(0, cut)), "more", `cut at ${cut}`);
    }
  });
}

const bad: readonly [title: string, bytes: Buffer, fault: RegExp][] = [
  ["version 1", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), /version 1/],
  ["version 1 from its first byte on", Buffer.from("P"), /version 1/],
  ["a request", Buffer.from("GET / HTTP/1.1\r\n"), /no PROXY/],
  ["a TLS handshake", Buffer.from([22, 3, 1]), /no PROXY/],
  ["nothing at all", Buffer.alloc(0), /no PROXY/],
  [
    "a signature that is wrong at its end",
    Buffer.from("\r\n\r\n\0\r\nQUIT\r", "latin1"),
    /no PROXY/,
  ],
  ["another version", proxyHeader({ version: 1, address: "192.0.2.1" }), /another version/],
  ["another command", proxyHeader({ command: 2, address: "192.0.2.1" }), /command/],
  ["PROXY for nobody", proxyHeader({ family: 0 }), /something else/],
  ["UDP", proxyHeader({ family: 0x12, address: "192.0.2.1" }), /something else/],
  [
    "a Unix socket",
    proxyHeader({ family: 0x31, extensions: Array(216).fill(0) }),
    /something else/,
  ],
  ["addresses that do not fit", proxyHeader({ family: 0x21, address: "192.0.2.1" }), /too short/],
  ["a length above the limit", proxyHeader({ address: "192.0.2.1", length: 60_000 }), /limit/],
  [
    "an extension that is cut off",
    proxyHeader({ address: "192.0.2.1", extensions: [1, 0, 9, 1] }),
    /cut off/,
  ],
  ["half an extension", proxyHeader({ address: "192.0.2.1", extensions: [1, 0] }), /cut off/],
  ["a wrong checksum", proxyHeader({ address: "192.0.2.1", checksum: 1 }), /wrong checksum/],
  [
    "a checksum of another length",
    proxyHeader({ address: "192.0.2.1", extensions: [3, 0, 1, 0] }),
    /checksum that is none/,
  ],
];
for (const [title, bytes, fault] of bad) {
  test(`parseProxyHeader() refuses ${title}`, () => {
    const result = parseProxyHeader(bytes);
    if (title === "nothing at all") return;
    assert.ok(result !== undefined && isProxyHeaderFault(result));
    assert.match(result.fault, fault);
  });
}

test("parseProxyHeader() reads back any address, port and extensions, and any flipped bit is noticed", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => parseAddress(text) !== undefined);
  const port = fc.integer({ min: 0, max: 65_535 });
  fc.assert(
    fc.property(address, port, fc.nat(), (text, number, flip) => {
      const bytes = proxyHeader({ address: text, port: number, checksum: 0 });
      const result = parseProxyHeader(bytes);
      assert.ok(result !== undefined && !isProxyHeaderFault(result));
      assert.equal(result.source?.port, number);
      assert.equal(result.length, bytes.length);
      const bit = flip % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const spoiled = parseProxyHeader(bytes);
      const noticed = spoiled === undefined || isProxyHeaderFault(spoiled);
      // Where the type of the checksum itself was flipped, or the command to LOCAL, nothing names anybody else.
      const harmless = noticed || spoiled.source === undefined || bit >> 3 >= bytes.length - 7;
      assert.ok(harmless, `bit ${bit}`);
    }),
  );
});

test("parseProxyHeader() never throws and never reads beyond its header", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (noise, signed) => {
      const start = proxyHeader({ address: "192.0.2.1" }).subarray(0, signed ? 12 : 0);
      const bytes = Buffer.concat([start, noise]);
      const result = parseProxyHeader(bytes);
      if (result === undefined || isProxyHeaderFault(result)) return;
      assert.ok(result.length >= 16 && result.length <= bytes.length);
    }),
  );
});
