import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A token of an agent with these roles. */
function token(roles: readonly string[]): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "https://login.example.com",
    aud: "https://api.example.com",
    sub: "assistant",
    iat: now,
    exp: now + 300,
    roles,
  };
  const input = [{ alg: "ES256", typ: "at+jwt", kid: "login" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly arguments?: object };
}

/** What an MCP server says, as far as the tries need it: answers of tools come as an event stream. */
function answer(request: IncomingMessage, response: ServerResponse): boolean {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method !== "POST") {
      response.writeHead(request.method === "GET" ? 200 : 204).end();
      return;
    }
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as Message;
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const result = method === "tools/list" ? { tools: TOOLS } : { called: params?.name };
    const message = JSON.stringify({ jsonrpc: "2.0", id, result });
    const streams = method === "tools/call";
    response.setHeader("content-type", streams ? "text/event-stream" : "application/json");
    response.end(streams ? `event: message\ndata: ${message}\n\n` : message);
  });
  return true;
}

const TOOLS = [{ name: "read_file" }, { name: "delete_file" }];

async function send(world: World, target: string, body: string, roles: readonly string[]) {
  const response = await fetch(`http://${world.address("edge")}${target}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token(roles)}`, "content-type": "application/json" },
    body,
  });
  const text = await response.text();
  const reason = /"reason":"([a-z-]+)"/.exec(text)?.[1];
  return { said: `${response.status}${reason === undefined ? "" : ` ${reason}`}`, text };
}

function call(world: World, message: object, roles: readonly string[] = ["FileReader"]) {
  return send(world, "/mcp", JSON.stringify({ jsonrpc: "2.0", ...message }), roles);
}

function tool(name: string, args: object = {}): object {
  return { id: 7, method: "tools/call", params: { name, arguments: args } };
}

async function transfer(world: World, order: object, roles: readonly string[] = []) {
  return (await send(world, "/transfers", JSON.stringify(order), roles)).said;
}

async function recordWith(world: World, part: string): Promise<string> {
  const folder = join(world.folder, "data", "audit");
  for (;;) {
    const lines = readdirSync(folder)
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
    const found = lines.find((line) => line.includes(part));
    if (found !== undefined) return found;
    await setTimeout(20);
  }
}

const to = { iban: "DE02120300000000202051" };

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "keys"), { recursive: true });
    const key = { ...publicKey.export({ format: "jwk" }), kid: "login", alg: "ES256", use: "sig" };
    writeFileSync(join(ground.folder, "keys/login.json"), JSON.stringify({ keys: [key] }));
    await startService(ground, 9001, "files", answer);
    await startService(ground, 9002, "bank");
  },
  tries: [
    {
      shows: "an agent opens a session, lists the tools and ends the session",
      async run(world) {
        const hello = { id: 1, method: "initialize", params: { protocolVersion: "2025-06-18" } };
        assert.equal((await call(world, hello, [])).said, "200");
        assert.equal((await call(world, { method: "notifications/initialized" }, [])).said, "202");
        const { text } = await call(world, { id: 2, method: "tools/list" }, []);
        assert.match(text, /delete_file/);
        const url = `http://${world.address("edge")}/mcp`;
        const headers = { authorization: `Bearer ${token([])}` };
        assert.equal((await fetch(url, { headers })).status, 200);
        assert.equal((await fetch(url, { method: "DELETE", headers })).status, 204);
      },
    },
    {
      shows: "it calls the tool that it may call, on the files that it may read",
      async run(world) {
        const report = await call(world, tool("read_file", { path: "/reports/q3.md" }));
        assert.equal(report.said, "200");
        assert.match(report.text, /^event: message\ndata: .*read_file/);
        const outside = ["/etc/passwd", "/reports/../etc/passwd"];
        for (const path of outside) {
          assert.equal((await call(world, tool("read_file", { path }))).said, "403 no-permit");
        }
        assert.equal((await call(world, tool("read_file"))).said, "403 no-permit");
      },
    },
    {
      shows: "it calls no other tool, and without the role none at all",
      async run(world) {
        const path = "/reports/q3.md";
        assert.equal((await call(world, tool("delete_file", { path }))).said, "403 no-permit");
        assert.equal((await call(world, tool("read_file", { path }), [])).said, "403 no-permit");
        const record = await recordWith(world, '"tool":"delete_file"');
        assert.match(record, /"body":\{"path":\{"value":"\/reports\/q3.md"\}\}/);
      },
    },
    {
      shows: "a call that could be read in two ways is refused before anything is sent",
      async run(world) {
        const path = "/reports/q3.md";
        const written = JSON.stringify({ jsonrpc: "2.0", ...tool("read_file", { path }) });
        const tricks = [
          written.replace('"name"', '"name":"delete_file","name"'),
          written.replace('"name"', '"Name":"delete_file","name"'),
          written.replace("tools/call", "Tools/Call"),
          `[${written}]`,
        ];
        for (const trick of tricks) {
          assert.equal((await send(world, "/mcp", trick, ["FileReader"])).said, "400 invalid-body");
        }
      },
    },
    {
      shows: "small transfers are for everybody, large ones take a role",
      async run(world) {
        assert.equal(await transfer(world, { amount: 1000, to }), "200");
        assert.equal(await transfer(world, { amount: 1001, to }), "403 no-permit");
        assert.equal(await transfer(world, { amount: 1001, to }, ["Treasurer"]), "200");
        assert.equal(await transfer(world, { amount: 10, to: {} }), "403 no-permit");
        assert.equal(await transfer(world, { amount: "10", to }), "400 invalid-body");
        const record = await recordWith(world, '"amount":{"value":1001}');
        assert.match(record, /"iban":\{"hashes":\["[\w-]{43}"\],"type":"string"\}/);
        assert.doesNotMatch(record, /DE02/);
      },
    },
  ],
};
