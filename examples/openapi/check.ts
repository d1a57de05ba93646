import assert from "node:assert/strict";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

interface Refused {
  readonly reason: string;
  readonly invalid?: object;
}

function ask(world: World, target: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${world.address("edge")}/billing${target}`, init);
}

async function refused(world: World, target: string, init?: RequestInit): Promise<Refused> {
  return (await (await ask(world, target, init)).json()) as Refused;
}

function post(body: string): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body };
}

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "billing"),
  tries: [
    {
      shows: "a tag permits its operations, found by the path that the service sees",
      async run(world) {
        const response = await ask(world, "/invoices?limit=100");
        assert.equal(((await response.json()) as Seen).target, "/v1/invoices?limit=100");
        assert.equal((await ask(world, "/invoices", post('{"amount":5}'))).status, 200);
      },
    },
    {
      shows: "a forbid reads a parameter as the number that it is",
      async run(world) {
        assert.equal((await refused(world, "/invoices?limit=101")).reason, "forbidden");
      },
    },
    {
      shows: "what no policy permits and what nobody described are refused",
      async run(world) {
        const method = "DELETE";
        assert.equal((await refused(world, "/invoices/7", { method })).reason, "no-permit");
        assert.equal((await refused(world, "/credits")).reason, "unknown-operation");
        assert.equal((await ask(world, "/invoices", { method })).headers.get("allow"), "GET, POST");
      },
    },
    {
      shows: "a parameter or a body that does not fit is named by place and rule",
      async run(world) {
        const twice = await refused(world, "/invoices?limit=1&limit=2");
        assert.deepEqual(twice.invalid, { in: "query", name: "limit", rule: "repeated" });
        const body = await refused(world, "/invoices", post('{"amount":0}'));
        assert.deepEqual(body.invalid, { in: "body", pointer: "/amount", rule: "minimum" });
      },
    },
  ],
};
