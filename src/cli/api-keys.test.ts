import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { desks } from "../../test/admin/desks.ts";
import { adminStage } from "../../test/admin/stage.ts";
import { connectAdmin } from "./admin-connect.ts";
import {
  type ApiKeysContext,
  createApiKey,
  type CreateOptions,
  listApiKeys,
  removeApiKey,
  revokeApiKey,
  rotateApiKey,
  showApiKey,
} from "./api-keys.ts";
import { main } from "./main.ts";

const DAY = 86_400_000;
const OPTIONS: CreateOptions = {
  authenticator: "partners",
  scope: ["a"],
  role: [],
  group: [],
  service: [],
  attribute: ["tenant=acme"],
};

async function ground(t: TestContext) {
  const made = await desks(t);
  const { socket } = await adminStage(t, { desks: made });
  const out: string[] = [];
  const hints: string[] = [];
  const context: ApiKeysContext = {
    client: connectAdmin({ admin: socket, config: "sallyport.yaml" }),
    nowMs: Date.now,
    write: (text) => void out.push(text),
    hint: (line) => void hints.push(line),
    json: false,
  };
  const create = async (owner: string): Promise<string> => {
    await createApiKey(owner, OPTIONS, { ...context, json: true });
    const { apiKey } = JSON.parse(out.pop() ?? "") as { apiKey: { id: string } };
    return apiKey.id;
  };
  return { socket, apiKeys: made.apiKeys, context, out, hints, create };
}

test("createApiKey() prints the key alone to standard output, once, and what to know beside", async (t) => {
  const { context, out, hints, apiKeys } = await ground(t);
  const options = { ...OPTIONS, label: "nightly", lifetime: "30d" };
  assert.equal(await createApiKey("acme", options, context), 0);
  assert.match(out.join(""), /^sp_[0-9A-Za-z]{49}\n$/);
  const [key] = await apiKeys.list({ limit: 1 });
  assert.ok(key !== undefined);
  assert.match(hints.join(), new RegExp(`key ${key.id} of acme until 20.* only now`));
  assert.ok(Math.abs(key.expiresMs - Date.now() - 30 * DAY) < 60_000);
  const text = out.splice(0)[0]?.trim() ?? "";
  assert.equal(await showApiKey(key.id, context), 0);
  await listApiKeys({}, context);
  assert.match(out[0] ?? "", /^scopes +a$/m);
  assert.match(out[0] ?? "", /^attributes +tenant="acme"$/m);
  assert.match(
    out[1] ?? "",
    /^ID +AUTHENTICATOR +OWNER +LABEL +STATE +EXPIRES +LAST USED\n.*nightly +active/,
  );
  assert.ok(![...out, ...hints].join("").includes(text));
});

test("createApiKey() refuses what no key could be used with, and says what would do", async (t) => {
  const { context } = await ground(t);
  const refused = (more: Partial<CreateOptions>, message: RegExp) =>
    assert.rejects(createApiKey("acme", { ...OPTIONS, ...more }, context), { message });
  await refused({ authenticator: "partner" }, /did you mean partners/);
  await refused({ authenticator: "corp" }, /no authenticator of type api-key is called corp/);
  await refused({ service: ["biling"] }, /no service is called biling; did you mean billing/);
  await refused({ attribute: ["tenant=1"] }, /not of type string/);
  await refused({ attribute: ["tier=gold"] }, /tier is not declared/);
  await refused({ attribute: ["tenant"] }, /not an attribute/);
  await refused({ lifetime: "367d" }, /maxLifetime allows 20/);
  await refused({ lifetime: "a while" }, /not a duration/);
});

test("rotateApiKey() prints the new key, and until when the one before is good", async (t) => {
  const { context, out, hints, create } = await ground(t);
  const id = await create("acme");
  assert.equal(await rotateApiKey(id, { overlap: "1h" }, context), 0);
  assert.match(out.join(""), /^sp_[0-9A-Za-z]{49}\n$/);
  assert.match(hints.join("\n"), new RegExp(`${id}, whose place it takes, is good until 20`));
  await assert.rejects(rotateApiKey(id, {}, context), { message: /another has taken its place/ });
  await assert.rejects(rotateApiKey(id, { overlap: "91d" }, context), { code: "config-invalid" });
});

test("listApiKeys() finds those of an owner and of an authenticator", async (t) => {
  const { context, out, hints, create } = await ground(t);
  assert.equal(await listApiKeys({}, context), 0);
  assert.match(hints.pop() ?? "", /no such API key/);
  for (const owner of ["acme", "globex", "acme"]) await create(owner);
  const owners = async (filter: Parameters<typeof listApiKeys>[0]): Promise<string[]> => {
    await listApiKeys(filter, { ...context, json: true });
    const lines = out.splice(0).join("").split("\n").filter(Boolean);
    return lines.map((line) => (JSON.parse(line) as { owner: string }).owner);
  };
  assert.deepEqual(await owners({ owner: "acme" }), ["acme", "acme"]);
  assert.equal((await owners({ authenticator: "partners" })).length, 3);
  assert.deepEqual(await owners({ authenticator: "corp" }), []);
});

test("revoke and remove end a key; 1 where there is none", async (t) => {
  const { context, out, hints, create } = await ground(t);
  const id = await create("acme");
  assert.equal(await revokeApiKey(id, { reason: "leaked" }, context), 0);
  assert.match(out.join(""), /^state +revoked$/m);
  assert.match(out.join(""), /^because +leaked$/m);
  await assert.rejects(rotateApiKey(id, {}, context), { message: /it was revoked/ });
  assert.equal(await removeApiKey(id, context), 0);
  for (const command of [showApiKey, removeApiKey]) assert.equal(await command(id, context), 1);
  assert.equal(await revokeApiKey(id, {}, context), 1);
  assert.match(hints.pop() ?? "", /first column of `sallyport api-keys list`/);
});

test("main() has each of the commands, over the socket", async (t) => {
  const { socket, apiKeys } = await ground(t);
  const run = (...args: string[]): Promise<number> =>
    main(["api-keys", ...args, "--admin", socket]);
  const named = ["--authenticator", "partners", "--scope", "a", "--scope", "b", "--role", "R"];
  assert.equal(await run("create", "acme", ...named, "--attribute", "tenant=acme"), 0);
  const [key] = await apiKeys.list({ limit: 1 });
  assert.deepEqual([key?.scopes, key?.roles, key?.owner], [["a", "b"], ["R"], "acme"]);
  const id = key?.id ?? "";
  assert.equal(await run("create", "acme"), 2);
  assert.equal(await run("list", "--owner", "acme", "--json"), 0);
  assert.equal(await run("show", id), 0);
  assert.equal(await run("rotate", id, "--overlap", "1h", "--lifetime", "7d"), 0);
  assert.equal(await run("revoke", id, "--reason", "leaked"), 0);
  assert.equal(await run("remove", id), 0);
  assert.equal(await run("show", id), 1);
});
