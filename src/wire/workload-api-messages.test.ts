import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as holds, property, record, stringMatching, uint8Array } from "fast-check";
import { SallyportError } from "../model/errors.ts";
import {
  readJwtBundlesResponse,
  readX509BundlesResponse,
  readX509SvidResponse,
  writeJwtBundlesResponse,
  writeX509BundlesResponse,
  writeX509SvidResponse,
} from "./workload-api-messages.ts";

const READERS = [readX509SvidResponse, readX509BundlesResponse, readJwtBundlesResponse];

const bytes = uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const name = stringMatching(/^spiffe:\/\/[a-z.]{1,30}$/);
const bundles = array(record({ name, bytes }), { maxLength: 8 }).map(
  (all) => new Map(all.map((one) => [one.name, one.bytes])),
);
const svid = record({
  spiffeId: name,
  certificates: bytes,
  key: bytes,
  bundle: bytes,
  hint: stringMatching(/^[a-z]{0,10}$/),
}).map((one) => ({ ...one }));

test("what was written is read as it was", () => {
  holds(
    property(array(svid, { maxLength: 4 }), bundles, (svids, federatedBundles) => {
      const response = { svids, federatedBundles };
      assert.deepEqual(readX509SvidResponse(writeX509SvidResponse(response)), response);
      const x509 = readX509BundlesResponse(writeX509BundlesResponse(federatedBundles));
      assert.deepEqual(x509, federatedBundles);
      const jwt = readJwtBundlesResponse(writeJwtBundlesResponse(federatedBundles));
      assert.deepEqual(jwt, federatedBundles);
    }),
  );
});

test("any bytes are read or refused with workload-api-failed, and never anything else", () => {
  holds(
    property(uint8Array({ maxLength: 400 }), (input) => {
      for (const read of READERS) readOrRefuse(read, input);
    }),
    { numRuns: 2000 },
  );
});

test("a message with any byte changed or cut off is read or refused", () => {
  const whole = writeX509SvidResponse({
    svids: [
      {
        spiffeId: "spiffe://example.org/x",
        certificates: Buffer.alloc(20, 1),
        key: Buffer.alloc(20, 2),
        bundle: Buffer.alloc(20, 3),
        hint: "h",
      },
    ],
    federatedBundles: new Map([["spiffe://a.example", Buffer.alloc(5)]]),
  });
  for (let at = 0; at < whole.length; at++) {
    readOrRefuse(readX509SvidResponse, whole.subarray(0, at));
    for (const bit of [0x01, 0x08, 0x80]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ bit;
      readOrRefuse(readX509SvidResponse, changed);
    }
  }
});

test("fields of later versions are passed over, at every depth", () => {
  const later = Buffer.from("f203036e6577", "hex");
  assert.deepEqual(readX509SvidResponse(later), { svids: [], federatedBundles: new Map() });
  const inside = Buffer.concat([Buffer.from([0x0a, later.length]), later]);
  assert.equal(readX509SvidResponse(inside).svids.length, 1);
});

test("more entries than the limits are refused", () => {
  const many = (count: number): Map<string, Buffer> =>
    new Map(Array.from({ length: count }, (_, index) => [`spiffe://d${index}`, Buffer.alloc(1)]));
  assert.equal(readX509BundlesResponse(writeX509BundlesResponse(many(1024))).size, 1024);
  assert.throws(
    () => readX509BundlesResponse(writeX509BundlesResponse(many(1025))),
    /more than 1024 trust domains/,
  );
  const lists = Buffer.concat(Array.from({ length: 1025 }, () => Buffer.from("0a0101", "hex")));
  assert.throws(() => readX509BundlesResponse(lists), /more than 1024 revocation lists/);
});

test("nothing of the input stands in what is said about it", () => {
  const secret = "canary-s3cret";
  for (const input of [
    Buffer.from(secret),
    Buffer.from(`\n\x20${secret}`),
    Buffer.from(`\x0a\x02\x1a\x7f${secret}`),
  ]) {
    for (const read of READERS) {
      try {
        read(input);
      } catch (error) {
        assert.ok(error instanceof SallyportError && !error.message.includes(secret));
        assert.equal(error.cause, undefined);
      }
    }
  }
});

function readOrRefuse(read: (input: Uint8Array) => unknown, input: Uint8Array): void {
  try {
    read(input);
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
    assert.equal(error.code, "workload-api-failed");
  }
}
