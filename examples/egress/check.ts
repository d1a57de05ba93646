import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createRoot } from "../../test/certificates.ts";
import { startChild } from "../children.ts";
import type { Example, Ground, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const ORDERS = "spiffe://prod.example/orders";

const root = createRoot("Example Root");
const server = root.issue({ name: "localhost", dns: ["localhost"] });
const prod = createRoot("prod.example", { uri: ["spiffe://prod.example"] });
const orders = prod.issue({ name: "orders", uri: [ORDERS] });

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Asked {
  readonly path: string;
  readonly host?: string;
  readonly method?: string;
  readonly socket?: boolean;
}

/** A caller as it is written by somebody who never heard of keys. */
function ask(
  ground: Ground,
  { path, host = "billing.internal", method = "GET", socket }: Asked,
): Promise<Answer> {
  const place =
    socket === true
      ? { socketPath: join(ground.folder, "sidecar", "run", "billing.sock") }
      : { host: "127.0.0.1", port: ground.port(7070) };
  const headers = { host, ...(socket === true ? {} : { "sallyport-egress": "1" }) };
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function reasonOf({ status, body }: Answer): string {
  const { reason = "" } = JSON.parse(body) as { readonly reason?: string };
  return `${status} ${reason}`.trim();
}

async function revocations(world: World, ...args: readonly string[]): Promise<string> {
  const options = { cwd: world.folder };
  const { stdout } = await promisify(execFile)(SALLYPORT, ["revocations", ...args], options);
  return stdout;
}

/** In force within a second. */
async function until(ground: Ground, answer: string, asked: Asked): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 15_000;) {
    if (reasonOf(await ask(ground, asked)) === answer) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  assert.equal(reasonOf(await ask(ground, asked)), answer);
}

function writeFiles({ folder }: Ground): void {
  for (const name of ["certs", "secrets", "data"]) mkdirSync(join(folder, name), { mode: 0o700 });
  const files = {
    "certs/ca.pem": root.pem,
    "certs/server.pem": server.chainPem,
    "certs/server.key": server.keyPem,
    "certs/prod.pem": prod.pem,
    "certs/orders.pem": orders.chainPem,
    "certs/orders.key": orders.keyPem,
    "secrets/kek": randomBytes(32).toString("base64"),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
}

export const example: Example = {
  files: ["sallyport.yaml", "sidecar/sallyport.yaml"],
  async prepare(ground) {
    writeFiles(ground);
    await startService(ground, 9001, "billing");
    await startService(ground, 9002, "ledger");
  },
  async start(ground) {
    const log = join(ground.folder, "sallyport.log");
    const run = async (name: string, cwd: string) => {
      const child = await startChild({ name, command: [SALLYPORT, "run"], cwd, log });
      ground.onEnd(() => child.stop());
      await child.until(/^listening\s+admin\s.*\n/m);
      return child;
    };
    const proxy = await run("authority", ground.folder);
    await run("sidecar", join(ground.folder, "sidecar"));
    return {
      proxy,
      address: (listener) =>
        `127.0.0.1:${ground.port({ mesh: 8443, admin: 9900, out: 7070 }[listener] ?? 0)}`,
      log: () => readFileSync(log, "utf8"),
    };
  },
  tries: [
    {
      shows: "orders reaches billing without a key of its own; the service sees no key either",
      async run(world) {
        for (const socket of [false, true]) {
          const { status, body } = await ask(world, { path: "/invoices/7", socket });
          assert.equal(status, 200, body);
          const { service, target, headers } = JSON.parse(body) as Seen;
          assert.deepEqual([service, target], ["billing", "/invoices/7"]);
          assert.deepEqual([headers["authorization"], headers["dpop"]], [undefined, undefined]);
        }
      },
    },
    {
      shows: "a key for ledger is bound to the certificate of orders, which ledger's proxy sees",
      async run(world) {
        const { status, body } = await ask(world, { path: "/entries/1", host: "ledger.internal" });
        assert.equal(status, 200, body);
        assert.equal((JSON.parse(body) as Seen).service, "ledger");
      },
    },
    {
      shows: "what no policy permits orders is denied by billing's own proxy",
      async run(world) {
        assert.equal(
          reasonOf(await ask(world, { path: "/invoices/7", method: "DELETE" })),
          "403 no-permit",
        );
      },
    },
    {
      shows: "a service that no key is issued for is not reached at all",
      async run(world) {
        const asked = { path: "/wages/1", host: "payroll.internal" };
        assert.equal(reasonOf(await ask(world, asked)), "403 key-refused");
        assert.equal(
          reasonOf(await ask(world, { path: "/", host: "other.internal" })),
          "404 no-route",
        );
      },
    },
    {
      shows: "a key that is revoked is replaced, and the caller does not notice",
      async run(world) {
        const ids = issuedKeys(world);
        for (const id of ids)
          await revocations(world, "revoke", "--authenticator", "keys", "--id", id);
        const asked = { path: "/invoices/7" };
        await until(world, "200", asked);
        assert.equal(reasonOf(await ask(world, asked)), "200");
        assert.ok(issuedKeys(world).length > ids.length, "there is another key");
      },
    },
    {
      shows: "a workload that is blocked gets none, until that is lifted",
      async run(world) {
        const asked = { path: "/invoices/7" };
        const subject = ["--authenticator", "mesh", "--subject", ORDERS];
        await revocations(world, "block", ...subject, "--reason", "drill");
        await until(world, "403 key-refused", asked);
        const list = await revocations(world, "list");
        const [blocked = ""] = list.split("\n").filter((line) => line.includes("block"));
        await revocations(world, "lift", "--", blocked.split(/\s+/)[0] ?? "");
        await until(world, "200", asked);
      },
    },
  ],
};

/** Ids of the keys that the authority has on record. */
function issuedKeys({ folder }: Ground): string[] {
  const audit = join(folder, "data", "audit");
  const files = readdirSync(audit).filter((name) => name.endsWith(".jsonl"));
  const lines = files.flatMap((name) => readFileSync(join(audit, name), "utf8").split("\n"));
  return lines.slice(0, -1).flatMap((line) => {
    const { key } = JSON.parse(line || "{}") as { readonly key?: { readonly id: string } };
    return key === undefined ? [] : [key.id];
  });
}
