import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import {
  API_KEY_PREFIX,
  apiKeyFault,
  macOfApiKey,
  makeApiKey,
  maskApiKeys,
} from "./api-key-text.ts";

/** As docs/identity.md gives it to those who scan repositories. */
const SCANNER = /\bsp_[0-9A-Za-z]{49}\b/;

const fixed = (byte: number) => (bytes: number) => new Uint8Array(bytes).fill(byte);

test("makeApiKey() makes a text of one form that a scanner finds and apiKeyFault() takes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const key = makeApiKey("sp_", () => bytes);
      assert.match(key, SCANNER);
      assert.equal(apiKeyFault(key, "sp_"), undefined);
    }),
  );
});

test("makeApiKey() keeps all 256 bits, and ends in the CRC-32 of what is before", () => {
  const ends = [0, 255].map((byte) => makeApiKey("sp_", fixed(byte)));
  assert.match(ends[0] ?? "", /^sp_0{43}/);
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const value = (text: string): bigint =>
    Array.from(text).reduce((sum, digit) => sum * 62n + BigInt(digits.indexOf(digit)), 0n);
  for (const [index, key] of ends.entries()) {
    assert.equal(value(key.slice(3, 46)), index === 0 ? 0n : 2n ** 256n - 1n);
    assert.equal(value(key.slice(46)), BigInt(crc32(key.slice(0, 46))));
  }
});

test("makeApiKey() throws TypeError for another prefix and for too few random bytes", () => {
  for (const prefix of ["", "sp", "SP_", "s_p_", "_", "1p_", `${"a".repeat(17)}_`]) {
    assert.equal(API_KEY_PREFIX.test(prefix), false);
    assert.throws(() => makeApiKey(prefix, randomBytes), TypeError);
  }
  assert.throws(() => makeApiKey("sp_", () => new Uint8Array(31)), TypeError);
});

test("apiKeyFault() says what is wrong without asking anybody", () => {
  const key = makeApiKey("sp_", randomBytes);
  const swapped = Array.from(key);
  swapped[10] = swapped[10] === "a" ? "b" : "a";
  const cases: [string, ReturnType<typeof apiKeyFault>][] = [
    [key.replace("sp_", "sk_"), "prefix"],
    [key.toUpperCase(), "prefix"],
    [key.slice(3), "prefix"],
    [key.slice(0, -1), "length"],
    [`${key}0`, "length"],
    [`${key} `, "length"],
    ["sp_", "length"],
    [`${key.slice(0, 20)}-${key.slice(21)}`, "characters"],
    [`${key.slice(0, 20)}\n${key.slice(21)}`, "characters"],
    [`${key.slice(0, 20)}\u0130${key.slice(21)}`, "characters"],
    [swapped.join(""), "checksum"],
    [`sp_${key.slice(3).toLowerCase()}`, "checksum"],
  ];
  for (const [text, fault] of cases) assert.equal(apiKeyFault(text, "sp_"), fault);
});

test("apiKeyFault() finds every change of one character and every exchange of two neighbours", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.nat(48),
      fc.constantFrom("0", "A", "a", "z", "9", "Z"),
      (bytes, place, other) => {
        const key = makeApiKey("sp_", () => bytes);
        const at = 3 + place;
        const changed = key.slice(0, at) + other + key.slice(at + 1);
        if (changed !== key) assert.equal(apiKeyFault(changed, "sp_"), "checksum");
        const pair = key.slice(at, at + 2);
        const turned = key.slice(0, at) + pair.charAt(1) + pair.charAt(0) + key.slice(at + 2);
        if (turned !== key) assert.equal(apiKeyFault(turned, "sp_"), "checksum");
      },
    ),
  );
});

test("macOfApiKey() is another for another key and for another text", () => {
  const [one, other] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))];
  const text = makeApiKey("sp_", randomBytes);
  assert.equal(macOfApiKey(text, one).length, 32);
  assert.deepEqual(macOfApiKey(text, one), macOfApiKey(text, one));
  assert.notDeepEqual(macOfApiKey(text, one), macOfApiKey(text, other));
  assert.notDeepEqual(macOfApiKey(text, one), macOfApiKey(`${text}x`, one));
});

test("maskApiKeys() leaves of each key its prefix, wherever it stands, and everything else as it is", () => {
  const key = makeApiKey("sp_", randomBytes);
  const other = makeApiKey("corp_", randomBytes);
  for (const [text, masked] of [
    [key, "sp_*"],
    [`/files/${key}`, "/files/sp_*"],
    [`/a/${key}/b/${other}?${key}=1`, "/a/sp_*/b/corp_*?sp_*=1"],
    [`/a%2F${key}`, "/a%2Fsp_*"],
    [`/a%2f${key}`, "/a%2fsp_*"],
    [`/x${key}y`, "/xsp_*y"],
    [`my_${key}`, "my_sp_*"],
  ] as const) {
    assert.equal(maskApiKeys(text), masked, text);
  }
  const changed = `${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`;
  for (const text of ["", "/", `/${changed}`, `/${key.slice(0, -1)}`, `/sp_/${key.slice(3)}`]) {
    assert.equal(maskApiKeys(text), text);
  }
});
