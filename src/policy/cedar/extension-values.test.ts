/** What each extension type takes, one text a line; oracle.test.ts asks the official engine the same. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { parseDatetime } from "./datetime.ts";
import { parseDecimal } from "./decimal.ts";
import { parseDuration } from "./duration.ts";
import { BAD_EXTENSION, OVERFLOW } from "./evaluation-error.ts";
import { parseIpAddress } from "./ip-address.ts";

void test("parseIpAddress() takes addresses and ranges, and prefixes count in equality", () => {
  assert.ok(parseIpAddress("10.0.0.1").equals(parseIpAddress("10.0.0.1/32")));
  assert.ok(!parseIpAddress("10.0.0.1/31").equals(parseIpAddress("10.0.0.1")));
  assert.ok(parseIpAddress("::1").equals(parseIpAddress("0:0:0:0:0:0:0:1/128")));
  assert.ok(parseIpAddress("1:2:3:4:5:6:7::").equals(parseIpAddress("1:2:3:4:5:6:7:0")));
});

void test("parseIpAddress() throws BAD_EXTENSION for what Cedar refuses", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.4/33",
    "1.2.3.4/08",
    "1.2.3.4/",
    "1.2.3.4/24/24",
    " 1.2.3.4",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8::",
    "::/129",
    ":1",
  ]) {
    assert.throws(() => parseIpAddress(text), BAD_EXTENSION, text);
  }
});

void test("isInRange() holds within one version and a wider or equal range", () => {
  const inRange = (address: string, range: string): boolean =>
    parseIpAddress(address).isInRange(parseIpAddress(range));
  assert.ok(inRange("10.1.2.3", "10.0.0.0/8"));
  assert.ok(inRange("10.1.0.0/16", "10.0.0.0/8"));
  assert.ok(!inRange("10.0.0.0/8", "10.1.0.0/16"));
  assert.ok(!inRange("11.0.0.1", "10.0.0.0/8"));
  assert.ok(inRange("255.255.255.255", "0.0.0.0/0"));
  assert.ok(!inRange("::1", "0.0.0.0/0"));
  assert.ok(inRange("fe80::1:2", "fe80::/64"));
  assert.ok(!inRange("fe80:0:0:1::", "fe80::/64"));
});

void test("isLoopback() and isMulticast() look at the whole range", () => {
  assert.ok(parseIpAddress("127.1.2.3").isLoopback());
  assert.ok(!parseIpAddress("127.0.0.0/7").isLoopback());
  assert.ok(parseIpAddress("::1").isLoopback());
  assert.ok(parseIpAddress("239.1.1.1").isMulticast());
  assert.ok(parseIpAddress("ff02::1").isMulticast());
  assert.ok(!parseIpAddress("224.0.0.0/3").isMulticast());
});

void test("parseDecimal() keeps four digits after the point", () => {
  assert.equal(parseDecimal("1.2").scaled, 12_000);
  assert.equal(parseDecimal("-0.5").scaled, -5000);
  assert.equal(parseDecimal("922337203685477.5807").scaled, 2n ** 63n - 1n);
  assert.equal(parseDecimal("-922337203685477.5808").scaled, -(2n ** 63n));
});

void test("parseDecimal() throws BAD_EXTENSION for what Cedar refuses", () => {
  for (const text of ["", "1", "1.", ".1", "+1.0", "1.00000", "1e3", "922337203685477.5808"]) {
    assert.throws(() => parseDecimal(text), BAD_EXTENSION, text);
  }
});

void test("parseDatetime() reads dates, times, milliseconds and offsets", () => {
  assert.equal(parseDatetime("1970-01-02").ms, 86_400_000);
  assert.equal(parseDatetime("2024-02-29T01:02:03Z").ms, Date.UTC(2024, 1, 29, 1, 2, 3));
  assert.equal(
    parseDatetime("2024-01-01T00:00:00.123+0130").ms,
    Date.UTC(2023, 11, 31, 22, 30, 0, 123),
  );
  assert.equal(parseDatetime("2024-01-01T00:00:00-0130").ms, Date.UTC(2024, 0, 1, 1, 30));
  assert.equal(parseDatetime("0001-01-01").ms, -62_135_596_800_000);
});

void test("parseDatetime() throws BAD_EXTENSION for what Cedar refuses", () => {
  for (const text of [
    "",
    "2023-02-29",
    "2024-13-01",
    "2024-1-1",
    "2024-01-01T00:00:00",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:60Z",
    "2024-01-01T00:00:00.1Z",
    "2024-01-01T00:00:00+2400",
    "2024-01-01T00:00:00+01:00",
    "2024-01-01 00:00:00Z",
    "-2024-01-01",
  ]) {
    assert.throws(() => parseDatetime(text), BAD_EXTENSION, text);
  }
});

void test("toDate() and toTime() round down, also before the epoch", () => {
  const before = parseDatetime("1969-12-31T23:59:59.999Z");
  assert.equal(before.toDate().ms, -86_400_000);
  assert.equal(before.toTime().ms, 86_399_999);
});

void test("toDate() throws OVERFLOW where midnight lies before all time", () => {
  const first = parseDatetime("1970-01-01").offset(parseDuration("-9223372036854775808ms"));
  assert.throws(() => first.toDate(), OVERFLOW);
});

void test("parseDuration() adds up its parts, the sign counting for all", () => {
  assert.equal(parseDuration("1d2h3m4s5ms").ms, 93_784_005);
  assert.equal(parseDuration("-1h30m").ms, -5_400_000);
  assert.equal(parseDuration("-9223372036854775808ms").ms, -(2n ** 63n));
  assert.equal(parseDuration("-1500ms").toSeconds(), -1);
});

void test("parseDuration() throws BAD_EXTENSION for what Cedar refuses", () => {
  for (const text of ["", "-", "1", "1h1d", "1.5h", "+1h", "1d ", "9223372036854775808ms"]) {
    assert.throws(() => parseDuration(text), BAD_EXTENSION, text);
  }
});
