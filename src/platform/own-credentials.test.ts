import assert from "node:assert/strict";
import test from "node:test";
import { SallyportError } from "../model/errors.ts";
import { ManualClock } from "./clock.ts";
import { type CredentialFiles, createOwnCredentials, NO_CREDENTIALS } from "./own-credentials.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

function fixture(files: CredentialFiles, contents: Readonly<Record<string, string>>) {
  const clock = new ManualClock(0);
  const held = new Map(Object.entries(contents));
  const reads: string[] = [];
  const readFile = (path: string): Uint8Array => {
    reads.push(path);
    const text = held.get(path);
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return Buffer.from(text);
  };
  return { clock, held, reads, own: createOwnCredentials(files, { clock, readFile }) };
}

function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    assert.ok(error instanceof SallyportError && error.code === "fetch-failed", String(error));
    return error.message;
  }
  return assert.fail("it should have been refused");
}

test("current() gives what the files hold, each in its place", () => {
  const files = { ca: "ca.pem", certificate: "own.pem", key: "own.key", bearer: "token" };
  const key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
  const { own } = fixture(files, {
    "ca.pem": PEM,
    "own.pem": `${PEM}x`,
    "own.key": key,
    token: "abc.def\n",
  });
  assert.deepEqual(own.current(), {
    tls: { ca: PEM, cert: `${PEM}x`, key },
    headers: { authorization: "Bearer abc.def" },
  });
});

test("current() gives nothing where nothing is named", () => {
  assert.deepEqual(NO_CREDENTIALS.current(), { tls: {}, headers: {} });
  const { own, reads } = fixture({}, {});
  assert.deepEqual(own.current(), { tls: {}, headers: {} });
  assert.deepEqual(reads, []);
});

test("current() reads a file that was renewed after a second, and not with every request", () => {
  const { own, held, clock, reads } = fixture({ bearer: "token" }, { token: "one" });
  assert.equal(own.current().headers["authorization"], "Bearer one");
  held.set("token", "two");
  clock.advance(999);
  assert.equal(own.current().headers["authorization"], "Bearer one");
  assert.equal(reads.length, 1);
  clock.advance(1);
  assert.equal(own.current().headers["authorization"], "Bearer two");
});

test("current() uses nothing on that was taken away", () => {
  const { own, held, clock } = fixture({ bearer: "token" }, { token: "one" });
  own.current();
  held.delete("token");
  clock.advance(1000);
  assert.match(
    refusal(() => own.current()),
    /^token: it cannot be read \(ENOENT\)$/,
  );
  assert.match(
    refusal(() => own.current()),
    /ENOENT/,
    "and again",
  );
  held.set("token", "two");
  assert.equal(own.current().headers["authorization"], "Bearer two");
});

test("current() refuses a token that is none, and says nothing of it", () => {
  for (const text of [
    "",
    "CANARY x",
    "CANARY\r\nx-admin: 1",
    `CANARY${"a".repeat(16_384)}`,
    "CANARYé",
  ]) {
    const { own } = fixture({ bearer: "token" }, { token: text });
    assert.equal(
      refusal(() => own.current()),
      "token: it holds no bearer token",
    );
  }
});

test("current() refuses an empty file of authorities: the public web's would do in its place", () => {
  for (const text of ["", "nothing"]) {
    const { own } = fixture({ ca: "ca.pem" }, { "ca.pem": text });
    assert.equal(
      refusal(() => own.current()),
      "ca.pem: it holds nothing in PEM",
    );
  }
});
