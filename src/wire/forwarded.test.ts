import { strict as assert } from "node:assert";
import test from "node:test";
import { forwardedFields } from "./forwarded.ts";

test("forwardedFields() writes both spellings", () => {
  assert.deepEqual(
    forwardedFields({ address: "192.0.2.1", scheme: "https", authority: "api.example.com" }),
    [
      "forwarded",
      "for=192.0.2.1;host=api.example.com;proto=https",
      "x-forwarded-for",
      "192.0.2.1",
      "x-forwarded-proto",
      "https",
      "x-forwarded-host",
      "api.example.com",
    ],
  );
});

test("forwardedFields() quotes IPv6 addresses and ports (RFC 7239 sections 4 and 6)", () => {
  const fields = forwardedFields({ address: "2001:db8::1", scheme: "http", authority: "a:8080" });
  assert.equal(fields[1], 'for="[2001:db8::1]";host="a:8080";proto=http');
  assert.equal(fields[3], "2001:db8::1");
});

test("forwardedFields() leaves the host out when there was none", () => {
  const fields = forwardedFields({ address: "192.0.2.1", scheme: "http", authority: "" });
  assert.deepEqual(fields, [
    "forwarded",
    "for=192.0.2.1;proto=http",
    "x-forwarded-for",
    "192.0.2.1",
    "x-forwarded-proto",
    "http",
  ]);
});
