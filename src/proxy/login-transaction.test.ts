import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { createSessionSealer } from "../identity/session/session-seal.ts";
import { countRound, isLoop } from "./login-rounds.ts";
import {
  dropTransaction,
  findTransaction,
  keepTransaction,
  type LoginTransaction,
  newSecrets,
  TRANSACTION_LIMITS,
} from "./login-transaction.ts";

const KEY = new Uint8Array(32).fill(7);
const NOW = 1_800_000_000_000;

function login(name = "people", insecurePlaintext = false, key = KEY): LoginAuthenticator {
  return {
    name,
    options: { session: { cookie: { insecurePlaintext } } },
    transactions: createSessionSealer([key], `login ${name}`),
  } as LoginAuthenticator;
}

function transaction(changed: Partial<LoginTransaction> = {}): LoginTransaction {
  return {
    ...newSecrets(),
    acrValues: ["gold"],
    maxAgeSeconds: 300,
    redirectUri: "https://app.example/.sallyport/callback/people",
    returnTo: "/app/x",
    beganMs: NOW,
    ...changed,
  };
}

/** The Cookie field of a browser that was given these lines. */
function cookies(...lines: readonly string[]): readonly string[] {
  return ["cookie", lines.map((line) => line.split(";")[0]).join("; ")];
}

test("findTransaction() finds what was kept, by its state", () => {
  const kept = transaction();
  const other = transaction({ maxAgeSeconds: undefined, returnTo: undefined, acrValues: [] });
  const lines = [kept, other].flatMap((one) => keepTransaction(one, login(), []));
  const fields = cookies(...lines, "theirs=1");
  for (const one of [kept, other]) {
    assert.deepEqual(findTransaction(one.state, login(), { fields, nowMs: NOW + 1 }), one);
  }
});

test("keepTransaction() keeps it out of reach: sealed, for ten minutes, for this host, from scripts", () => {
  const kept = transaction();
  const [line = ""] = keepTransaction(kept, login(), []);
  assert.match(
    line,
    /^__Host-sallyport-~[A-Za-z0-9_-]{16}=v1\.[^;]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
  for (const secret of [kept.state, kept.nonce, kept.codeVerifier]) {
    assert.ok(secret.length >= 43);
    assert.ok(!line.includes(secret));
    assert.ok(!Buffer.from(line, "base64url").includes(secret));
  }
  assert.match(keepTransaction(kept, login("people", true), [])[0] ?? "", /^sallyport-~/);
  assert.ok(!dropTransaction(kept.state, login()).includes(kept.state));
});

test("findTransaction() finds nothing of another state, authenticator or key, or too late, or changed", () => {
  const kept = transaction();
  const lines = keepTransaction(kept, login(), []);
  const fields = cookies(...lines);
  const find = (one: LoginAuthenticator, given = fields, nowMs = NOW) =>
    findTransaction(kept.state, one, { fields: given, nowMs });
  assert.ok(find(login()) !== undefined);
  assert.equal(findTransaction(newSecrets().state, login(), { fields, nowMs: NOW }), undefined);
  assert.equal(find(login("partners")), undefined, "mix-up");
  assert.equal(find(login("people", false, new Uint8Array(32).fill(8))), undefined);
  const { lifetimeMs } = TRANSACTION_LIMITS;
  assert.ok(find(login(), fields, NOW + lifetimeMs) !== undefined);
  assert.equal(find(login(), fields, NOW + lifetimeMs + 1), undefined);
  const [line = ""] = lines;
  const at = line.indexOf(";") - 1;
  const changed = line.slice(0, at) + (line[at] === "A" ? "Q" : "A") + line.slice(at + 1);
  assert.equal(find(login(), cookies(changed)), undefined);
  assert.equal(find(login(), cookies(line, line)), undefined, "which of two would count");
  assert.equal(find(login(), []), undefined);
});

test("findTransaction() takes no cookie for that of another state, though its name be forged", () => {
  const mine = transaction();
  const theirs = transaction();
  const [line = ""] = keepTransaction(theirs, login(), []);
  const [name = ""] = keepTransaction(mine, login(), []).map((one) => one.split("=")[0] ?? "");
  const fields = cookies(`${name}=${line.slice(line.indexOf("=") + 1)}`);
  assert.equal(findTransaction(mine.state, login(), { fields, nowMs: NOW }), undefined);
});

/** As another version of ours might have written it: the seal is good, and a member is not what it has to be. */
const BROKEN: readonly (readonly [member: string, values: readonly unknown[]])[] = [
  ["s", [undefined, 7]],
  ["n", [undefined, null, 7]],
  ["v", [undefined, 7]],
  ["u", [undefined, 7]],
  ["t", [undefined, "1"]],
  ["a", [undefined, "gold", [7], {}]],
  ["m", [null, "300"]],
  ["r", [null, 7]],
];

test("findTransaction() finds nothing where what is sealed is not what it has to be", () => {
  const kept = transaction();
  const [line = ""] = keepTransaction(kept, login(), []);
  const [name = "", value = ""] = (line.split(";")[0] ?? "").split("=");
  const opened = login().transactions.open(value);
  assert.ok("plain" in opened);
  const good = JSON.parse(opened.plain) as Record<string, unknown>;
  const find = (plain: string) => {
    const fields = cookies(`${name}=${login().transactions.seal(plain)}`);
    return findTransaction(kept.state, login(), { fields, nowMs: NOW });
  };
  assert.deepEqual(find(opened.plain), kept);
  for (const [member, values] of BROKEN) {
    for (const one of values) {
      assert.equal(find(JSON.stringify({ ...good, [member]: one })), undefined, member);
    }
  }
  for (const plain of ["", "{", "null", "7", "[]"]) assert.equal(find(plain), undefined);
});

test("keepTransaction() takes the oldest away where there are too many", () => {
  const lines: string[] = [];
  const names: string[] = [];
  for (let index = 0; index < TRANSACTION_LIMITS.atOnce; index++) {
    const [line = ""] = keepTransaction(transaction(), login(), cookies(...lines));
    lines.push(line);
    names.push(line.split("=")[0] ?? "");
  }
  const [, ...gone] = keepTransaction(transaction(), login(), cookies(...lines));
  assert.deepEqual(gone, [`${names[0]}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`]);
});

test("keepTransaction() keeps all of them small enough for any head: the oldest go first", () => {
  const large = () => transaction({ returnTo: `/${"x".repeat(2000)}` });
  const lines: string[] = [];
  for (let round = 0; round < 5; round++) {
    const [line = "", ...gone] = keepTransaction(large(), login(), cookies(...lines));
    for (const dropped of gone) assert.equal(lines.shift()?.split("=")[0], dropped.split("=")[0]);
    lines.push(line);
    const [, field = ""] = cookies(...lines);
    assert.ok(field.length <= TRANSACTION_LIMITS.bytes, String(field.length));
    // Browsers keep no larger cookie.
    assert.ok((line.split(";")[0] ?? "").length <= 4096);
  }
  assert.equal(lines.length, 2);
  const [, ...gone] = keepTransaction(transaction(), login(), cookies(...lines));
  assert.deepEqual(gone, []);
});

test("isLoop() is true after five logins in a row, whatever else stands there", () => {
  let fields: readonly string[] = [];
  for (let round = 0; round < 5; round++) {
    assert.equal(isLoop(login(), fields), false);
    const line = countRound(login(), fields);
    assert.match(line, /; Max-Age=60;/);
    fields = cookies(line);
  }
  assert.equal(isLoop(login(), fields), true);
  assert.equal(isLoop(login(), ["cookie", "__Host-sallyport-+rounds=many"]), false);
});
