/**
 * Sessions that an operator takes away, and what a logout is to the authority: one process that is authority and
 * proxy, as `sallyport run` starts it, and the command line beside it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RawConnection } from "../e2e/raw-connection.ts";
import { startStage, until } from "../e2e/stage.ts";
import { readResponses, valuesOf } from "../e2e/strict-http1.ts";
import { sealSession } from "./sealed-session.ts";

const KEY = randomBytes(32);
const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const run = promisify(execFile);

const stage = await startStage({
  adminSocket: "admin.sock",
  listener: "    serve: [login]",
  prepare: (folder) => mkdirSync(join(folder, "data"), { mode: 0o700 }),
  secrets: {
    "session.key": KEY.toString("base64url"),
    "kek.key": randomBytes(32).toString("base64url"),
  },
  authenticators: `  people:
    type: oidc
    issuer: http://127.0.0.1:9
    client: { id: console, secret: client-secret }
    principal: { kind: user }
    session: { keys: [{ file: session.key }] }`,
  routes: '  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }',
  policies: '@id("people") permit (principal is Sallyport::User, action, resource);',
  config: `authority:
  issuer: https://sallyport.example
  store: sqlite:data/sallyport.db
  keyEncryptionKey: { file: kek.key }`,
});
after(() => stage.close());

/** As another replica would have given it to a browser, some seconds ago. */
async function login(subject: string): Promise<string> {
  return (await sealSession({ key: KEY, subject, agoMs: 5000 })).header() ?? "";
}

const PAGE = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html"];

async function ask(cookie: string, fields: readonly string[] = [], line = "GET /app/x") {
  const connection = await RawConnection.open(stage.proxy);
  const head = [`${line} HTTP/1.1`, "Host: api.example", `Cookie: ${cookie}`, ...fields];
  connection.write([...head, "Connection: close", "", ""].join("\r\n"));
  await connection.until(() => connection.closed);
  const method = line.split(" ", 1)[0] ?? "GET";
  const [answer] = readResponses(connection.text, [method], connection.closed).messages;
  assert.ok(answer !== undefined, connection.text);
  const reason = /"reason":"([a-z-]+)"/.exec(answer.body)?.[1];
  const [location] = valuesOf(answer, "location");
  return { status: answer.status, reason, location };
}

async function operator(...args: string[]): Promise<string> {
  const { stdout } = await run(sallyport, ["revocations", ...args, "-c", "sallyport.yaml"], {
    cwd: stage.folder,
  });
  return stdout;
}

/** The revocation is in force once the feed has it. */
async function untilRefused(cookie: string): Promise<void> {
  for (let tries = 0; (await ask(cookie)).status === 200; tries++) assert.ok(tries < 500);
}

test("a person whose access is revoked is sent to login, and scripts are told", async () => {
  const cookie = await login("ada");
  const bystander = await login("bea");
  assert.equal((await ask(cookie)).status, 200);
  await operator("revoke", "--authenticator", "people", "--subject", "ada");
  await untilRefused(cookie);
  const script = await ask(cookie);
  assert.deepEqual([script.status, script.reason], [401, "credential-revoked"]);
  const page = await ask(cookie, PAGE);
  assert.equal(page.status, 303);
  assert.match(page.location ?? "", /\/\.sallyport\/login\?/);
  assert.equal((await ask(bystander)).status, 200);
});

test("a person who is blocked is told so, and not sent to login and back for ever", async () => {
  const cookie = await login("eve");
  await operator("block", "--authenticator", "people", "--subject", "eve");
  await untilRefused(cookie);
  assert.equal((await ask(cookie, PAGE)).reason, "credential-revoked");
});

test("a logout is a revocation of that session, which proxies that follow hear of", async () => {
  const cookie = await login("cat");
  const other = await login("cat");
  const before = await operator("list");
  const button = [
    "Origin: https://api.example",
    "Content-Length: 0",
    "Sec-Fetch-Site: same-origin",
  ];
  const out = await ask(cookie, button, "POST /.sallyport/logout");
  assert.ok(out.status < 400, `${out.status}`);
  assert.equal((await ask(cookie)).reason, "session-expired");
  assert.equal((await ask(other)).status, 200);
  const added = (text: string): number =>
    text.split("\n").filter((line) => line.includes("people")).length;
  let listed = before;
  for (let tries = 0; tries < 50 && added(listed) === added(before); tries++) {
    listed = await operator("list");
  }
  assert.equal(added(listed), added(before) + 1);
  await until(() => stage.records().some(({ reason }) => reason === "logged-out"));
});
