import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectAdmin } from "./admin-connect.ts";
import { AdminCallError } from "./admin-transport.ts";

function configOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-connect-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "sallyport.yaml");
  writeFileSync(config, text);
  return config;
}

const failure = (message: RegExp) => (error: unknown) =>
  error instanceof AdminCallError && message.test(error.message);

void test("connectAdmin() finds the socket beside the configuration, however broken the rest is", async (t) => {
  for (const [text, path] of [
    ["admin: { socket: run/a.sock }", "/run/a.sock gives no answer"],
    ["nonsense: 1\nroutes: x\nadmin: { socket: b.sock }", "/b.sock gives no answer"],
    ["admin: { socket: /nonexistent/c.sock }", "^/nonexistent/c.sock gives no answer"],
  ] as const) {
    const config = configOf(t, text);
    await assert.rejects(connectAdmin({ config }).getStatus(), failure(new RegExp(path)));
  }
});

void test("connectAdmin() says what is missing", (t) => {
  for (const [text, message] of [
    ["version: 1", /has no admin\.socket/],
    ["admin: { address: 127.0.0.1:1 }", /has no admin\.socket/],
    ["admin: { socket: 7 }", /has no admin\.socket/],
    ["admin: [", /is no YAML/],
    ["", /is no YAML/],
  ] as const) {
    const config = configOf(t, text);
    assert.throws(() => connectAdmin({ config }), failure(message), text);
    assert.throws(
      () => connectAdmin({ config: `${config}.gone` }),
      failure(/cannot be read \(ENOENT\): name another with -c, or the process with --admin$/),
    );
  }
  assert.throws(() => connectAdmin({ config: "/nonexistent" }), failure(/ENOENT/));
});

void test("connectAdmin() wants a place that is only a place, and a token for it", (t) => {
  const config = configOf(t, "version: 1");
  const tokenFile = configOf(t, "token\n");
  const empty = configOf(t, " \n");
  for (const [options, message] of [
    [{ admin: "https://a:1" }, /asks for a token/],
    [{ admin: "https://a:1", tokenFile: empty }, /holds no token/],
    [{ admin: "https://u:p@a:1", tokenFile }, /only scheme, host and port/],
    [{ admin: "https://a:1/v1", tokenFile }, /only scheme, host and port/],
    [{ admin: "http://a:1", tokenFile }, /a token is not sent/],
    [{ admin: "run/a.sock", tokenFile }, /go with --admin https/],
    [{ tokenFile }, /go with --admin https/],
  ] as const) {
    assert.throws(() => connectAdmin({ config, ...options }), failure(message), String(message));
  }
  connectAdmin({ config, admin: "https://a:1", tokenFile });
});
