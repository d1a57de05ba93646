import { strict as assert } from "node:assert";
import test from "node:test";
import { isSecretName } from "./hpack-secrets.ts";

test("isSecretName() knows the names of credentials", () => {
  for (const name of [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-sallyport-assertion",
    "x-api-key",
    "x-auth",
    "x-csrf-token",
    "x_auth_token",
    "x-amz-security-token",
    "password",
    "x-session-id",
    "x-hub-signature",
  ]) {
    assert.equal(isSecretName(name), true, name);
  }
});

test("isSecretName() leaves names that repeat and are no credentials to the table", () => {
  for (const name of [
    ":authority",
    ":path",
    "accept",
    "content-type",
    "user-agent",
    "x-author",
    "x-tokens-left",
    "keyboard",
    "sallyport-decision",
    "traceparent",
    "x-request-id",
  ]) {
    assert.equal(isSecretName(name), false, name);
  }
});

test("isSecretName() answers the same however many names it has seen", () => {
  for (let count = 0; count < 3000; count += 1) isSecretName(`x-invented-${count}`);
  assert.equal(isSecretName("x-invented-1"), false);
  assert.equal(isSecretName("cookie"), true);
});
