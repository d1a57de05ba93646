import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

/** What reached the service. */
let seen: { readonly target: string; readonly authorization: string; readonly body: string };

/** Speaks as one did thirty years ago, and leaves a note that is nobody's business. */
function answer(request: IncomingMessage, response: ServerResponse): boolean {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { url: target = "", headers } = request;
    const body = Buffer.concat(chunks).toString();
    seen = { target, authorization: headers.authorization ?? "", body };
    const broken = target.endsWith("/broken");
    response.setHeader("content-type", "application/json");
    response.setHeader("etag", '"1"');
    response.end(
      broken
        ? '{"INTERNAL_NOTE":"pays late","INTERNAL_NOTE":"really"}'
        : '{"CUST_NAME":"Ada","CITY":"London","BALANCE":12345678901234567890.50,"INTERNAL_NOTE":"pays late"}',
    );
  });
  return true;
}

function send(world: World, id: string, body: string, type: string): Promise<Response> {
  const url = `http://${world.address("edge")}/customers/${id}`;
  return fetch(url, { method: "PUT", body, headers: { "content-type": type } });
}

export const example: Example = {
  prepare(ground) {
    mkdirSync(join(ground.folder, "secrets"));
    writeFileSync(join(ground.folder, "secrets", "crm"), "correct horse\n", { mode: 0o600 });
    return startService(ground, 9001, "crm", answer);
  },
  tries: [
    {
      shows: "the service gets its own names, its own path and its own password",
      async run(world) {
        const body =
          '{"name":"Ada","address":{"city":"London","street":"x"},"discount":99,"age":36}';
        const response = await send(world, "7", body, "application/json");
        assert.equal(response.status, 200);
        assert.equal(seen.target, "/cgi-bin/customer/7");
        const password = Buffer.from("gate:correct horse").toString("base64");
        assert.equal(seen.authorization, `Basic ${password}`);
        assert.deepEqual(JSON.parse(seen.body), {
          CUST_NAME: "Ada",
          age: 36,
          CITY: "London",
          CUST_ID: "7",
          CHANGED_BY: "anonymous",
          FORMAT: 2,
        });
      },
    },
    {
      shows: "a new password is taken up by SIGHUP",
      async run(world) {
        const file = join(world.folder, "secrets", "crm");
        writeFileSync(file, "battery staple\n", { mode: 0o600 });
        process.kill(world.proxy.pid, "SIGHUP");
        while (!world.log().includes("reloaded")) await setTimeout(20);
        await send(world, "7", "{}", "application/json");
        const password = Buffer.from("gate:battery staple").toString("base64");
        assert.equal(seen.authorization, `Basic ${password}`);
        assert.ok(!world.log().includes("staple"));
      },
    },
    {
      shows: "the caller gets today's names, exact amounts, and no internal note",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/customers/7`);
        assert.equal(
          await response.text(),
          '{"name":"Ada","BALANCE":12345678901234567890.50,"address":{"city":"London"},"id":"7"}',
        );
        assert.equal(response.headers.get("etag"), 'W/"1"');
      },
    },
    {
      shows: "what cannot be changed with certainty is refused before anything is sent",
      async run(world) {
        const twice = await send(world, "7", '{"name":"a","name":"b"}', "application/json");
        assert.equal(twice.status, 400);
        const text = await send(world, "7", '{"name":"a"}', "text/plain");
        assert.equal(text.status, 415);
        const long = JSON.stringify({ name: "a".repeat(20_000) });
        assert.equal((await send(world, "7", long, "application/json")).status, 413);
      },
    },
    {
      shows: "an answer that hides its note twice is not passed on",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/customers/broken`);
        assert.equal(response.status, 502);
        assert.doesNotMatch(await response.text(), /pays late/);
      },
    },
  ],
};
