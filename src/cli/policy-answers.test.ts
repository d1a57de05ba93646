import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { whatCan, whoCan } from "./policy-answers.ts";

function configuration(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-answers-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(
    join(folder, "policies/all.cedar"),
    `@id("readers")
permit (principal in Sallyport::Role::"Reader", action in Sallyport::Action::"read", resource)
when { context.path like "/shop/*" };
`,
  );
  const config = join(folder, "sallyport.yaml");
  writeFileSync(
    config,
    `version: 1
listeners: [{ name: edge, address: 127.0.0.1:8080 }]
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    audience: [https://api.example.com]
    principal: { kind: user, roles: { claim: roles, allow: [Reader] } }
services: { shop: { endpoints: [http://127.0.0.1:9001] } }
routes: [{ name: shop, path: /shop/*, methods: [GET, PUT], service: shop, authenticate: [corp] }]
policies: { enforce: [policies] }
audit: { path: data/audit }
`,
  );
  return config;
}

/** What is printed meanwhile. */
async function printed(run: (write: (text: string) => void) => Promise<number>): Promise<string> {
  let text = "";
  const status = await run((piece) => {
    text += piece;
  });
  assert.equal(status, 0);
  return text;
}

test("whoCan() prints a line for each caller, with the clause on which it depends", async (context) => {
  const config = configuration(context);
  const text = await printed((write) =>
    whoCan("GET", "shop", { config, format: "text", context: [], write }),
  );
  const [nobody, reader] = text.trimEnd().split("\n");
  assert.match(nobody ?? "", /^User of corp +no +nothing permits it$/);
  assert.match(
    reader ?? "",
    /^User of corp in Role::"Reader" +depends +permit readers \(\S*all\.cedar:3\) when context\.path like "\/shop\/\*"$/,
  );
  const json = await printed((write) =>
    whoCan("GET", 'Service::"shop"', { config, format: "json", context: ["path=/shop/1"], write }),
  );
  const { answers } = JSON.parse(json) as { answers: { who: string; may: string }[] };
  assert.deepEqual(
    answers.map(({ who, may }) => [who, may]),
    [
      ["User of corp", "no"],
      ['User of corp in Role::"Reader"', "yes"],
    ],
  );
});

test("whoCan() answers for each action of a group", async (context) => {
  const config = configuration(context);
  const options = { config, format: "text", context: ["path=/shop/1"] } as const;
  const lines = async (action: string) =>
    (await printed((write) => whoCan(action, "shop", { ...options, write })))
      .trimEnd()
      .split("\n")
      .map((line) => line.replaceAll(/ +/g, " "));
  assert.deepEqual(await lines("read"), [
    "User of corp GET no nothing permits it",
    'User of corp in Role::"Reader" GET yes readers',
  ]);
  assert.deepEqual(await lines("write"), [
    "User of corp PUT no nothing permits it",
    'User of corp in Role::"Reader" PUT no nothing permits it',
  ]);
  await assert.rejects(whoCan("raed", "shop", options), /did you mean "read"/);
});

test("whatCan() prints a line for each action that the caller can come to", async (context) => {
  const config = configuration(context);
  const options = { config, format: "text", context: ["path=/shop/1"] } as const;
  const text = await printed((write) =>
    whatCan('User::"corp/*"', { ...options, role: ["Reader"], group: [], write }),
  );
  assert.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.replaceAll(/ +/g, " ")),
    [
      'User of corp in Role::"Reader"',
      'Route::"shop" GET yes readers',
      'Route::"shop" PUT no nothing permits it',
    ],
  );
});

test("whoCan() and whatCan() refuse what there is not, and say what is near", async (context) => {
  const config = configuration(context);
  const options = { config, format: "text", context: [] } as const;
  await assert.rejects(whoCan("GTE", "shop", options), /no action "GTE".*did you mean "GET"/);
  await assert.rejects(whoCan("GET", "shpo", options), /no resource "shpo".*did you mean "shop"/);
  await assert.rejects(
    whoCan("GET", "shop", { ...options, context: ["colour=red"] }),
    /the context cannot have "colour=red"/,
  );
  const nobody = { ...options, role: [], group: [] };
  await assert.rejects(whatCan('User::"crop/alice"', nobody), /nobody can be User::"crop\/alice"/);
  await assert.rejects(whatCan('Device::"corp/alice"', nobody), /nobody can be Device/);
});
