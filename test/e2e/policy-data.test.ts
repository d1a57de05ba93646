/** Who is in which team is said by a file: it lets callers in, and a reload that says otherwise takes it away. */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import {
  NotSwitched,
  startEchoService,
  WebSocketClient,
} from "../../examples/websocket-service.ts";
import { startStage, type StageOptions } from "./stage.ts";

const echo = await startEchoService({});

function optionsOf(member: string): StageOptions {
  return {
    routes: `  - name: chat
    path: /chat/*
    service: echo
    authenticate: [test]
    upgrades: [websocket]`,
    services: `  echo: { endpoints: ["http://${echo.address}"] }`,
    policies: `@id("teams") permit (principal in ?principal, action, resource == ?resource);`,
    data: `groups:
  chatters: [Workload::"test/${member}"]
  staff: []
roles:
  talks: [Group::"chatters"]
links:
  - { template: teams, id: talkers-chat, principal: Role::"talks", resource: Route::"chat" }
`,
  };
}

const stage = await startStage(optionsOf("tester"));
after(async () => {
  await stage.close();
  await echo.close();
});

test("a file lets a caller in, and what it no longer says closes his streams", async () => {
  const fields = [`Authorization: Bearer ${stage.issuer.token()}`];
  const other = [`Authorization: Bearer ${stage.issuer.token({ sub: "other" })}`];
  const client = await WebSocketClient.open(stage.proxy, "/chat/a", fields);
  assert.equal(await client.echo("hello"), "hello");
  const decision = await stage.found(({ type, path }) => type === "decision" && path === "/chat/a");
  assert.deepEqual(decision["determining"], ["talkers-chat"]);
  await assert.rejects(WebSocketClient.open(stage.proxy, "/chat/a", other), isRefused);

  await stage.reload(optionsOf("other"));
  assert.deepEqual(await client.ended, { code: 1008, reason: "no-permit" });
  await assert.rejects(WebSocketClient.open(stage.proxy, "/chat/a", fields), isRefused);
  const welcome = await WebSocketClient.open(stage.proxy, "/chat/a", other);
  assert.equal(await welcome.echo("hello"), "hello");
});

function isRefused(error: unknown): boolean {
  return error instanceof NotSwitched && error.status === 403;
}
