import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dpopClient } from "../../test/identity/dpop-client.ts";
import { headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import type { Example } from "../example.ts";
import { startService } from "../services.ts";
import { AUTHORITIES, type Cluster, type Machine, PROXIES, startCluster } from "./machines.ts";

const key = testKey("login-1", "ES256");
const client = dpopClient("ES256", "shop");
let cluster: Cluster;

export const example: Example = {
  files: [
    "authority/sallyport.yaml",
    "proxy/sallyport.yaml",
    "haproxy/haproxy.cfg",
    ...AUTHORITIES.map((name) => `machines/${name}.env`),
    ...PROXIES.map((name) => `machines/${name}.env`),
  ],
  prepare: (ground) => startService(ground, 9001, "orders"),
  async start(ground) {
    cluster = await startCluster(ground, keySetOf(key));
    const first = cluster.proxies["edge-1"];
    const edge = `127.0.0.1:${ground.port(8080)}`;
    return {
      proxy: first.child,
      address: (name) => (name === "edge" ? edge : first.variable("ADMIN_ADDRESS")),
      log: () =>
        [...authorities(), ...proxies()].map(({ log }) => readFileSync(log, "utf8")).join("\n"),
    };
  },
  tries: [
    {
      shows: "three proxies are enrolled, each with a key and a name of its own",
      async run() {
        const listed = await authorities()[0]?.command("workloads", "list");
        for (const name of PROXIES) assert.match(listed ?? "", new RegExp(`${name}\\s.*enrolled`));
      },
    },
    {
      shows: "requests through HAProxy reach all three, and each knows the caller",
      async run(world) {
        const reached = new Set<string>();
        await until("all three", async () => {
          const { status, edge } = await ask(world.address("edge"), token("reports"));
          if (status === 200) reached.add(edge);
          return reached.size === PROXIES.length;
        });
        for (const machine of proxies()) {
          assert.equal((await askOne(machine, undefined)).status, 401);
        }
      },
    },
    {
      shows: "a policy that is put on the authorities and reloaded there is in force on all three",
      async run() {
        const mallory = token("mallory");
        for (const machine of proxies()) assert.equal((await askOne(machine, mallory)).status, 200);
        for (const machine of authorities()) {
          const file = join(machine.folder, "policies", "mallory.cedar");
          writeFileSync(
            file,
            '@id("not-mallory") forbid (principal == Sallyport::Workload::"corp/mallory", action, resource);\n',
          );
          await machine.command("reload");
        }
        await until("403 on all", () =>
          all(async (one) => (await askOne(one, mallory)).status === 403),
        );
        for (const machine of proxies()) {
          assert.equal((await askOne(machine, token("reports"))).status, 200);
        }
      },
    },
    {
      shows: "a subject that is revoked is a 401 on all three within a second",
      async run() {
        const reports = token("reports");
        for (const machine of proxies()) assert.equal((await askOne(machine, reports)).status, 200);
        await revoke(cluster.authorities["authority-1"], "reports");
        await until(
          "401 on all",
          () => all(async (one) => (await askOne(one, reports)).status === 401),
          1000,
        );
        const { reason } = await askOne(cluster.proxies["edge-1"], reports);
        assert.equal(reason, "credential-revoked");
      },
    },
    {
      shows: "a limit across machines is one for all three: six an hour, whoever is asked",
      async run() {
        const statuses = await askReports(token("accounting"));
        assert.equal(statuses.filter((status) => status === 200).length, 6);
        assert.equal(statuses.filter((status) => status === 429).length, 6);
      },
    },
    {
      shows: "a DPoP proof that was used on one proxy is refused on the others",
      async run() {
        const [first, second, third] = proxies() as [Machine, Machine, Machine];
        const used = await proved(first);
        assert.equal(used.said, "200");
        for (const other of [second, third, first]) {
          assert.equal((await prove(other, used.proof)).said, "401 replayed-proof");
        }
        assert.equal((await proved(second)).said, "200");
      },
    },
    {
      shows:
        "Redis killed: each proxy counts limits by itself, proofs are refused with 503, all else goes on",
      async run() {
        await cluster.redis.kill();
        await until("it is noticed", async () =>
          all(async (one) => (await proved(one)).said === "503 memory-unavailable"),
        );
        const statuses = await askReports(token("planning"));
        assert.deepEqual([...new Set(statuses)], [200], "four on each, of six");
        for (const machine of proxies()) {
          assert.equal((await askOne(machine, token("planning"))).status, 200);
          assert.equal((await machine.get("/readyz")).status, 200);
        }
        await cluster.redis.start();
        await until("proofs count again", async () =>
          all(async (one) => (await proved(one)).said === "200"),
        );
      },
    },
    {
      shows: "an authority that is killed is missed by nobody: requests and changes go on",
      async run() {
        const [first, second] = [
          cluster.authorities["authority-1"],
          cluster.authorities["authority-2"],
        ];
        await first.kill();
        const billing = token("billing");
        const seen = new Set<number>();
        const end = performance.now() + 3000;
        while (performance.now() < end) {
          for (const machine of proxies()) seen.add((await askOne(machine, billing)).status);
        }
        assert.deepEqual([...seen], [200]);
        await revoke(second, "billing");
        await until(
          "401 on all",
          () => all(async (one) => (await askOne(one, billing)).status === 401),
          1000,
        );
        await first.start();
      },
    },
    {
      shows:
        "Postgres stopped: changes are refused with 503, requests go on within the bound, and nothing is lost",
      async run() {
        const shipping = token("shipping");
        const stoppedMs = performance.now();
        await cluster.database.stop();
        const refused = await revoke(cluster.authorities["authority-2"], "shipping");
        assert.equal(refused, 503);
        for (const machine of proxies())
          assert.equal((await askOne(machine, shipping)).status, 200);
        assert.ok(performance.now() - stoppedMs < 10_000, "within maxStaleness");
        await until("beyond the bound", () =>
          all(async (one) => (await askOne(one, shipping)).reason === "feed-stale"),
        );
        await cluster.database.start();
        await until("200 on all", () =>
          all(async (one) => (await askOne(one, shipping)).status === 200),
        );
        // What was revoked before is revoked still.
        assert.equal((await askOne(cluster.proxies["edge-2"], token("billing", -60))).status, 401);
      },
    },
    {
      shows: "a proxy that is disabled is out: it hears nothing more, and HAProxy sends it nothing",
      async run(world) {
        await cluster.authorities["authority-1"].command("workloads", "disable", "edge-3");
        await until("it refuses", async () => {
          return (await askOne(cluster.proxies["edge-3"], token("shipping"))).status === 503;
        });
        await until("HAProxy knows", async () => {
          const edges = new Set<string>();
          for (let times = 0; times < 12; times++) {
            const { status, edge } = await ask(world.address("edge"), token("shipping"));
            edges.add(status === 200 ? edge : `status ${status}`);
          }
          return [...edges].toSorted().join() === "edge-1,edge-2";
        });
      },
    },
  ],
};

function authorities(): Machine[] {
  return Object.values(cluster.authorities);
}

function proxies(): Machine[] {
  return Object.values(cluster.proxies);
}

/** Statuses of four requests to each proxy, all at once. */
async function askReports(bearer: string): Promise<number[]> {
  const asked = proxies().flatMap((machine) =>
    Array.from({ length: 4 }, async () => {
      const headers = { authorization: `Bearer ${bearer}` };
      const url = `http://${machine.variable("EDGE_ADDRESS")}/reports/2026`;
      return (await fetch(url, { headers })).status;
    }),
  );
  return await Promise.all(asked);
}

interface Proved {
  readonly said: string;
  readonly proof: string;
  readonly nonce: string | undefined;
}

/** A token that is good only with a proof of the client's key, and one such proof; once more with the nonce that it wants. */
async function proved(machine: Machine): Promise<Proved> {
  const first = await prove(machine, client.proof(proven));
  if (first.said !== "401 use-dpop-nonce") return first;
  return await prove(machine, client.proof({ ...proven, nonce: first.nonce }));
}

const bound = token("shop", 0, { jkt: client.thumbprint });
const proven = { method: "GET", url: "https://api.example.com/orders/17", token: bound } as const;

async function prove(machine: Machine, proof: string): Promise<Proved> {
  const headers = { authorization: `DPoP ${bound}`, dpop: proof };
  const url = `http://${machine.variable("EDGE_ADDRESS")}/orders/17`;
  const response = await fetch(url, { headers });
  const reason = /"reason":"([^"]*)"/.exec(await response.text())?.[1] ?? "";
  const said = `${response.status} ${reason}`.trim();
  return { said, proof, nonce: response.headers.get("dpop-nonce") ?? undefined };
}

/** An access token of the company's provider, for five minutes from `ageSeconds` ago on. */
function token(subject: string, ageSeconds = 0, cnf?: object): string {
  const iat = Math.floor(Date.now() / 1000) + ageSeconds;
  return signToken(key, headerOf(key), {
    iss: "https://login.example.com",
    aud: "https://api.example.com",
    sub: subject,
    iat,
    exp: iat + 300,
    ...(cnf && { cnf }),
  });
}

interface Seen {
  readonly status: number;
  readonly reason: string | undefined;
  /** Which proxy HAProxy sent it to. */
  readonly edge: string;
}

async function ask(address: string, bearer: string | undefined): Promise<Seen> {
  const headers: Record<string, string> = { connection: "close" };
  if (bearer !== undefined) headers["authorization"] = `Bearer ${bearer}`;
  const response = await fetch(`http://${address}/orders/17`, { headers }).catch(() => undefined);
  const body = (await response?.text()) ?? "";
  return {
    status: response?.status ?? 0,
    reason: /"reason":"([^"]*)"/.exec(body)?.[1],
    edge: response?.headers.get("x-edge") ?? "",
  };
}

/** Past HAProxy. */
function askOne(machine: Machine, bearer: string | undefined): Promise<Seen> {
  return ask(machine.variable("EDGE_ADDRESS"), bearer);
}

/** Everything that the provider has issued to it until now. The status of the answer. */
async function revoke(authority: Machine, subject: string): Promise<number> {
  const target = { kind: "subject", authenticator: "corp", subject };
  const { status } = await authority.admin("POST", "/v1/revocations", {
    target,
    mode: "revoke",
    reason: "the example",
  });
  return status;
}

async function all(holds: (machine: Machine) => Promise<boolean>): Promise<boolean> {
  const answers = await Promise.all(proxies().map(holds));
  return answers.every(Boolean);
}

async function until(what: string, look: () => Promise<boolean>, ms = 60_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await look())) {
    assert.ok(performance.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
