import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { parseCidr } from "./address.ts";
import { isForwardedFault, readForwarded } from "./forwarded-client.ts";
import { parseForwarded } from "./forwarded-element.ts";
import { forwardedFields } from "./forwarded.ts";
import { createTrust } from "./trusted-proxies.ts";

const blocks = ["10.0.0.0/8", "2001:db8:1::/48"].flatMap((text) => parseCidr(text) ?? []);
const trusted = createTrust(blocks);

function read(...fields: string[]) {
  return readForwarded(fields, trusted);
}

function addressOf(...fields: string[]): string {
  const result = read(...fields);
  if (isForwardedFault(result)) return "refused";
  return result === undefined ? "silent" : (result.address ?? "peer");
}

test("createTrust() trusts what lies in a block, mapped addresses too, and nothing else", () => {
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1:2::3"]) {
    assert.ok(trusted(address), address);
  }
  for (const address of ["11.0.0.1", "2001:db8:2::1", "fe80::1%eth0", "", "unknown", "10.0.0"]) {
    assert.equal(trusted(address), false, address);
  }
});

test("readForwarded() says nothing where the proxy did", () => {
  assert.equal(read("host", "a", "x-forwarded-port", "1", "x-real-ip", "192.0.2.1"), undefined);
});

const chains: readonly [title: string, value: string, address: string][] = [
  ["one address", "192.0.2.1", "192.0.2.1"],
  ["the right-most that is no proxy", "198.51.100.9, 192.0.2.1, 10.0.0.7", "192.0.2.1"],
  ["what the caller invented is left of it", "10.0.0.1, 127.0.0.1, 192.0.2.1", "192.0.2.1"],
  ["garbage left of it is the caller's", 'unknown, ", ;=\\, 192.0.2.1', "192.0.2.1"],
  ["all are proxies: the left-most", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
  ["a port", "192.0.2.1:4711", "192.0.2.1"],
  ["IPv6 bare", "2001:DB8:0:0::1", "2001:db8::1"],
  ["IPv6 in brackets, with a port", "[2001:db8::1]:80", "2001:db8::1"],
  ["a mapped address", "::ffff:192.0.2.1", "192.0.2.1"],
  ["blanks", " \t192.0.2.1 ,\t10.0.0.1 ", "192.0.2.1"],
  ["nothing", "", "refused"],
  ["a hole", "192.0.2.1,,10.0.0.1", "refused"],
  ["a comma at the end", "192.0.2.1,", "refused"],
  ["unknown where it counts", "192.0.2.1, unknown", "refused"],
  ["a name", "caller.example", "refused"],
  ["an octal octet", "192.0.2.010", "refused"],
  ["a short address", "127.1", "refused"],
  ["an address as a number", "3221225985", "refused"],
  ["an IPv4 address in brackets", "[192.0.2.1]", "refused"],
  ["an open bracket", "[2001:db8::1", "refused"],
  ["a zone", "fe80::1%eth0", "refused"],
  ["a port that is none", "192.0.2.1:http", "refused"],
  ["quotes", '"192.0.2.1"', "refused"],
  ["a comment", "192.0.2.1 (it is me)", "refused"],
];
for (const [title, value, address] of chains) {
  test(`readForwarded() of X-Forwarded-For, ${title}: ${address}`, () => {
    assert.equal(addressOf("x-forwarded-for", value), address);
  });
}

const standards: readonly [title: string, value: string, address: string][] = [
  ["one address", "for=192.0.2.1", "192.0.2.1"],
  ["names in any case, all parameters", 'FOR=192.0.2.1;Proto=HTTPS;by=_x;host="a:80"', "192.0.2.1"],
  ["quoted IPv6 with a port", 'for="[2001:db8::1]:4711"', "2001:db8::1"],
  ["an obfuscated port", 'for="192.0.2.1:_gazonk"', "192.0.2.1"],
  ["a quoted pair", 'for="192\\.0.2.1"', "192.0.2.1"],
  ["several", 'for=198.51.100.9, for=192.0.2.1 ,for="[2001:db8:1::2]"', "192.0.2.1"],
  ["a comma in quotes is no separator", 'for=192.0.2.1;x="a, for=10.0.0.1;"', "192.0.2.1"],
  ["unknown left of it", "for=unknown, for=192.0.2.1", "192.0.2.1"],
  ["an obfuscated identifier left of it", "for=_hidden, for=192.0.2.1", "192.0.2.1"],
  ["an extension", "secret=x;for=192.0.2.1", "192.0.2.1"],
  ["unknown", "for=unknown", "refused"],
  ["an obfuscated identifier", "for=_hidden", "refused"],
  ["no address", "proto=https", "refused"],
  ["no address in the last", "for=192.0.2.1, proto=https", "refused"],
  ["nothing", "", "refused"],
  ["a hole", "for=192.0.2.1,,for=10.0.0.1", "refused"],
  ["a semicolon at the end", "for=192.0.2.1;", "refused"],
  ["a parameter twice", "for=192.0.2.1;for=192.0.2.2", "refused"],
  ["a parameter twice in another case", "for=192.0.2.1;FOR=192.0.2.2", "refused"],
  ["IPv6 without quotes", "for=[2001:db8::1]", "refused"],
  ["IPv6 without brackets", 'for="2001:db8::1;', "refused"],
  ["a port without quotes", "for=192.0.2.1:80", "refused"],
  ["an open quote", 'for="192.0.2.1', "refused"],
  ["an open quote that swallows", 'for="x, for=192.0.2.1', "refused"],
  ["text behind a quote", 'for="192.0.2.1"x', "refused"],
  ["blanks around the equals sign", "for = 192.0.2.1", "refused"],
  ["a bare word", "192.0.2.1", "refused"],
];
for (const [title, value, address] of standards) {
  test(`readForwarded() of Forwarded, ${title}: ${address}`, () => {
    assert.equal(addressOf("forwarded", value), address);
  });
}

test("readForwarded() joins lines in their order, and an open quote does not reach the next one", () => {
  assert.equal(
    addressOf("x-forwarded-for", "192.0.2.1", "x-forwarded-for", "10.0.0.1"),
    "192.0.2.1",
  );
  assert.equal(
    addressOf("x-forwarded-for", "10.0.0.1", "x-forwarded-for", "192.0.2.1"),
    "192.0.2.1",
  );
  assert.equal(addressOf("forwarded", "for=192.0.2.1", "forwarded", "for=10.0.0.1"), "192.0.2.1");
  assert.equal(addressOf("forwarded", 'for="192.0.2.1', "forwarded", 'x="'), "refused");
});

test("readForwarded() refuses more hops than the limit, in one line and in many", () => {
  const many = (count: number, text: string): string => Array(count).fill(text).join(",");
  assert.equal(addressOf("x-forwarded-for", many(32, "10.0.0.1")), "10.0.0.1");
  assert.equal(addressOf("x-forwarded-for", many(33, "10.0.0.1")), "refused");
  assert.equal(addressOf("forwarded", many(32, "for=10.0.0.1")), "10.0.0.1");
  assert.equal(addressOf("forwarded", many(33, "for=10.0.0.1")), "refused");
  const lines = Array.from({ length: 33 }, () => ["x-forwarded-for", "10.0.0.1"]).flat();
  assert.equal(addressOf(...lines), "refused");
  const standard = Array.from({ length: 33 }, () => ["forwarded", "for=10.0.0.1"]).flat();
  assert.equal(addressOf(...standard), "refused");
});

test("readForwarded() takes protocol and host once, checked, of the proxy that the caller reached", () => {
  const older = (...more: string[]) => read("x-forwarded-for", "192.0.2.1, 10.0.0.1", ...more);
  assert.deepEqual(older("x-forwarded-proto", "HTTPS", "x-forwarded-host", "API.example:8443"), {
    address: "192.0.2.1",
    hops: ["10.0.0.1"],
    scheme: "https",
    authority: "api.example:8443",
  });
  for (const wrong of [
    ["x-forwarded-proto", "https, http"],
    ["x-forwarded-proto", "ws"],
    ["x-forwarded-proto", ""],
    ["x-forwarded-proto", "https", "x-forwarded-proto", "https"],
    ["x-forwarded-host", "a, b"],
    ["x-forwarded-host", "user@a"],
    ["x-forwarded-host", "a/b"],
    ["x-forwarded-host", ""],
    ["x-forwarded-host", "a", "x-forwarded-host", "a"],
  ]) {
    assert.ok(isForwardedFault(older(...wrong)), wrong.join(": "));
  }
  const chosen = read("forwarded", "for=198.51.100.1;proto=http;host=x, for=192.0.2.1;proto=https");
  assert.deepEqual(chosen, {
    address: "192.0.2.1",
    hops: [],
    scheme: "https",
    authority: undefined,
  });
  assert.deepEqual(read("x-forwarded-proto", "https"), {
    address: undefined,
    hops: [],
    scheme: "https",
    authority: undefined,
  });
});

test("readForwarded() refuses two spellings that do not say the same, or not as much", () => {
  const both = (standard: string, ...older: string[]) => addressOf("forwarded", standard, ...older);
  assert.equal(both("for=192.0.2.1", "x-forwarded-for", "192.0.2.1"), "192.0.2.1");
  assert.equal(both("for=192.0.2.2", "x-forwarded-for", "192.0.2.1"), "refused");
  // One of them may have come through from the caller: what only it says is the caller's word.
  assert.equal(both("for=192.0.2.1;proto=https", "x-forwarded-for", "192.0.2.1"), "refused");
  assert.equal(both("for=192.0.2.1", "x-forwarded-proto", "https"), "refused");
  assert.equal(
    both("for=192.0.2.1;proto=https", "x-forwarded-for", "192.0.2.1", "x-forwarded-proto", "https"),
    "192.0.2.1",
  );
});

test("what forwardedFields() writes reads back as the same, through any number of proxies", () => {
  const callers = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => !trusted(text));
  const hops = fc.array(fc.constantFrom("10.0.0.1", "10.9.9.9", "2001:db8:1::7"), { maxLength: 5 });
  fc.assert(
    fc.property(
      callers,
      hops,
      fc.constantFrom("a.example", "a.example:80"),
      (caller, via, host) => {
        let peer = caller;
        let client: ReturnType<typeof read>;
        for (const next of [...via, "10.1.1.1"]) {
          const written = forwardedFields({
            address: peer,
            scheme: "http",
            authority: host,
            client: isForwardedFault(client) ? undefined : client,
          });
          client = readForwarded(written, trusted);
          assert.ok(client !== undefined && !isForwardedFault(client), JSON.stringify(client));
          peer = next;
        }
        assert.ok(client !== undefined && !isForwardedFault(client));
        assert.equal(addressOf("x-forwarded-for", caller), client.address);
        assert.deepEqual(client.hops, via);
        assert.equal(client.authority, host);
      },
    ),
  );
});

test("parseForwarded() never throws, and what it accepts has as many elements as commas outside quotes", () => {
  const pieces = fc.constantFrom(
    "for",
    "=",
    "a",
    '"',
    "\\",
    ",",
    ";",
    " ",
    "[::1]",
    ":",
    "\t",
    "é",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const line = parts.join("");
      const elements = parseForwarded(line, 100);
      if (elements === undefined) return;
      const unquoted = line.replace(/"(?:[^"\\]|\\.)*"/g, "");
      assert.equal(elements.length, unquoted.split(",").length);
      assert.ok(!unquoted.includes('"'));
    }),
  );
});

test("whatever a caller sends, a proxy that appends to it has the last word or it is refused", () => {
  const text = fc.array(
    fc.constantFrom("for=", "1.1.1.1", "10.0.0.1", '"', "\\", ",", ";", "=", " ", "x", "host=a"),
    { maxLength: 20 },
  );
  const appended = fc.constantFrom(
    "for=192.0.2.1",
    'for="192.0.2.1:80";host="a:80"',
    'host="a";for="192.0.2.1"',
  );
  fc.assert(
    fc.property(text, appended, (parts, own) => {
      const sent = parts.join("");
      const seen = addressOf("forwarded", `${sent}, ${own}`);
      assert.ok(["192.0.2.1", "refused"].includes(seen), `${sent} → ${seen}`);
      const older = addressOf("x-forwarded-for", `${sent}, 192.0.2.1`);
      assert.ok(["192.0.2.1", "refused"].includes(older), `${sent} → ${older}`);
    }),
    { numRuns: 2000 },
  );
});
