import { strict as assert } from "node:assert";
import { BlockList, isIP } from "node:net";
import test from "node:test";
import * as fc from "fast-check";
import {
  cidrContains,
  formatAddress,
  normalizeAddress,
  parseAddress,
  parseCidr,
} from "./address.ts";

const NORMAL: readonly [text: string, normal: string | undefined][] = [
  ["10.0.0.1", "10.0.0.1"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
  ["2001:0:0:1:0:0:1:1", "2001::1:0:0:1:1"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::FFFF:0a00:0001", "10.0.0.1"],
  ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ["", undefined],
  ["10.0.0", undefined],
  ["10.0.0.01", undefined],
  ["10.0.0.256", undefined],
  ["10.0.0.1 ", undefined],
  ["0x0a.0.0.1", undefined],
  [":", undefined],
  [":::", undefined],
  ["1:::2", undefined],
  ["1::2::3", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1:2:3:4:5:6:7::8", undefined],
  ["::1%lo", undefined],
  ["::12345", undefined],
  ["::10.0.0.1:1", undefined],
  [":1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:", undefined],
];

for (const [text, normal] of NORMAL) {
  test(`normalizeAddress() gives ${normal} for ${JSON.stringify(text)}`, () => {
    assert.equal(normalizeAddress(text), normal);
  });
}

test("parseAddress() takes what node's isIP() takes, zone ids aside", () => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(..."0129af:.::".split("")), maxLength: 16 }),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      assert.equal(parseAddress(candidate)?.family ?? 0, isIP(candidate), candidate);
    }),
    { numRuns: 2000 },
  );
});

test("formatAddress() writes what a URL parser writes", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const address = parseAddress(text);
      assert.ok(address !== undefined);
      // Bun's URL refuses some spellings, such as [0:0::0:0:0.0.0.0].
      const url = URL.parse(`http://[${text}]/`);
      if (url !== null) assert.equal(`[${formatAddress(address)}]`, url.hostname);
    }),
  );
});

test("parseCidr() refuses prefixes out of range and bits beyond the prefix", () => {
  for (const text of ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "2001:db8::/33", "::1/128"]) {
    assert.notEqual(parseCidr(text), undefined, text);
  }
  const bad = ["10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "/8"];
  for (const text of [...bad, "10.0.0.0/8/8", "::/129", "2001:db8:8000::/32", "a/8"]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

function contains(block: string, address: string): boolean {
  const cidr = parseCidr(block);
  const parsed = parseAddress(address);
  assert.ok(cidr !== undefined && parsed !== undefined);
  return cidrContains(cidr, parsed);
}

test("cidrContains() compares the bits of the prefix, mapped addresses as IPv4", () => {
  assert.equal(contains("10.0.0.0/9", "10.127.255.255"), true);
  assert.equal(contains("10.0.0.0/9", "10.128.0.0"), false);
  assert.equal(contains("10.0.0.0/8", "::ffff:10.0.0.1"), true);
  assert.equal(contains("::ffff:10.0.0.0/104", "10.0.0.1"), true);
  assert.equal(contains("::ffff:10.0.0.0/104", "11.0.0.1"), false);
  assert.equal(contains("::/0", "::ffff:10.0.0.1"), true);
  assert.equal(contains("::/0", "10.0.0.1"), false);
  assert.equal(contains("0.0.0.0/0", "::1"), false);
  assert.equal(contains("2001:db8::/31", "2001:db9::1"), true);
  assert.equal(contains("2001:db8::/32", "2001:db9::1"), false);
});

test("cidrContains() agrees with node's BlockList", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 1, max: 32 }), (base, address, prefix) => {
      const groups = parseAddress(base)?.groups ?? [];
      const bits = ((groups[0] ?? 0) * 65_536 + (groups[1] ?? 0)) >>> 0;
      const masked = prefix === 32 ? bits : (bits >>> (32 - prefix)) * 2 ** (32 - prefix);
      const network = [24, 16, 8, 0].map((shift) => (masked >>> shift) & 0xff).join(".");
      const list = new BlockList();
      list.addSubnet(network, prefix);
      assert.equal(contains(`${network}/${prefix}`, address), list.check(address));
      assert.equal(contains(`${network}/${prefix}`, base), true);
    }),
  );
});
