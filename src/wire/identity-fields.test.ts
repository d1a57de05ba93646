import { strict as assert } from "node:assert";
import test from "node:test";
import { isIdentityName, stripIdentityFields } from "./identity-fields.ts";

const NAMES = [
  "x-sallyport-assertion",
  "sallyport-decision",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-uri",
  "x-forwarded-user",
  "x-forwarded-client-cert",
  "x-forwarded",
  "forwarded",
  "via",
  "x-real-ip",
  "true-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method-override",
];

for (const name of NAMES) {
  test(`stripIdentityFields() drops ${name} in any case and with _ for -`, () => {
    const spellings = [name, name.toUpperCase(), name.replaceAll("-", "_"), name.replace("-", "_")];
    for (const spelling of spellings) {
      assert.equal(isIdentityName(spelling), true, spelling);
      assert.deepEqual(stripIdentityFields(["a", "b", spelling, "x", "c", "d"]), [
        "a",
        "b",
        "c",
        "d",
      ]);
    }
  });
}

test("stripIdentityFields() drops underscore spellings of fields that CGI-like servers confuse", () => {
  const fields = ["content_length", "5", "transfer_encoding", "chunked", "content-type", "a/b"];
  assert.deepEqual(stripIdentityFields(fields), ["content-type", "a/b"]);
});

test("stripIdentityFields() returns the same list when there is nothing to drop", () => {
  const fields = ["host", "a", "x-forward", "b", "x_team", "c", "x-request-id", "d"];
  assert.equal(stripIdentityFields(fields), fields);
});

test("stripIdentityFields() keeps a request id only when it is single and valid", () => {
  const strip = (...values: string[]): readonly string[] =>
    stripIdentityFields(values.flatMap((value) => ["x-request-id", value]));
  assert.deepEqual(strip("5b1c0d3e-8f0a"), ["x-request-id", "5b1c0d3e-8f0a"]);
  assert.deepEqual(strip("a", "b"), []);
  for (const bad of ["", "a b", "a\tb", '"a"', "a;b", "\xe9", "a".repeat(129), "../a"]) {
    assert.deepEqual(strip(bad), [], bad);
  }
  assert.deepEqual(stripIdentityFields(["x_request_id", "a"]), []);
});

test("stripIdentityFields() drops tracestate with a traceparent that is not valid", () => {
  const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const fields = (traceparent: string): string[] => [
    "traceparent",
    traceparent,
    "tracestate",
    "a=b",
  ];
  assert.deepEqual(stripIdentityFields(fields(valid)), fields(valid));
  assert.deepEqual(stripIdentityFields(fields("00-0-0-00")), []);
  assert.deepEqual(stripIdentityFields([...fields(valid), "traceparent", valid]), []);
  assert.deepEqual(stripIdentityFields(["tracestate", "a=b"]), []);
});
