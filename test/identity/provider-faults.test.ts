/**
 * A provider and an API server that hang, answer garbage, redirect, send megabytes, fail or are gone, while
 * requests go on: what is asked of them is bounded in time, what was vouched for serves or does not as
 * the configuration says, callers of other issuers notice nothing, and all is well when they are back.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after } from "node:test";
import { startStage } from "../e2e/stage.ts";
import { startIntrospectionProvider } from "../introspection-provider.ts";
import { startCluster } from "../kubernetes-api.ts";

const LIMITS = {
  /** Milliseconds that we give a provider. */
  timeout: 400,
  /** Milliseconds for an answer to a caller, on a busy machine. */
  answer: 10_000,
  /** Callers at once, and requests of each during a fault. */
  callers: 8,
  requests: 12,
} as const;

const provider = await startIntrospectionProvider({
  clients: { sallyport: { secret: "s3cret", method: "basic" } },
});
const cluster = await startCluster();
/** Where a redirect leads: nobody may come here. */
const trapped: string[] = [];
const trap = createServer((request, response) => {
  trapped.push(request.url ?? "");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ active: true, sub: "trap" }));
});
await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
const trapOrigin = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;

const introspection = (down: string): string => `
    type: introspection
    endpoint: ${provider.origin}/introspect
    client: { id: sallyport, secret: "\${file:secret}" }
    audience: ["https://api.example"]
    principal: { kind: workload, roles: { claim: roles, allow: [Admin] } }
    cache: { max: 100ms, inactive: 0s }
    timeout: ${LIMITS.timeout}ms
    down: ${down}`;

const stage = await startStage({
  authenticators: `
  strict:${introspection("refuse")}
  lasting:${introspection("{ serveFor: 10m }")}
  cluster:
    type: kubernetes
    apiServer: ${cluster.url}
    ca: ca.crt
    tokenFile: token
    audience: [sallyport]
    review: true
    cache: { max: 100ms }
    timeout: ${LIMITS.timeout}ms
`,
  routes: `  - { name: strict, path: "/strict/*", service: recorder, authenticate: [strict, test] }
  - { name: lasting, path: "/lasting/*", service: recorder, authenticate: [lasting] }
  - { name: pods, path: "/pods/*", service: recorder, authenticate: [cluster] }
`,
  policies: `
@id("all")
permit (principal is Sallyport::Workload, action, resource);
`,
  secrets: { secret: "s3cret", "ca.crt": cluster.ca, token: cluster.delegatorToken() },
});
after(async () => {
  await stage.close();
  await provider.close();
  await cluster.close();
  trap.closeAllConnections();
  trap.close();
});

const told = { sub: "batch", aud: "https://api.example", scope: "read", roles: ["Admin"] };
let made = 0;

/** A token that the provider knows and nobody has shown yet. */
function opaque(): string {
  made += 1;
  const token = `opaque-${made}`;
  provider.tokens.set(token, told);
  return token;
}

async function ask(path: string, token: string): Promise<string> {
  const response = await fetch(`http://${stage.proxy}${path}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(LIMITS.answer),
  });
  const text = await response.text();
  const { reason } = response.ok ? { reason: "" } : (JSON.parse(text) as { reason: string });
  return `${response.status} ${reason}`.trim();
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const json = { "content-type": "application/json" };

const FAULTS: readonly [what: string, misbehave: Answer][] = [
  ["hangs", () => undefined],
  ["trickles", (_request, response) => trickle(response)],
  ["answers garbage", (_request, response) => response.writeHead(200, json).end('{"active": tru')],
  [
    "answers what is no JSON",
    (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  ],
  [
    "says active twice",
    (_request, response) =>
      response.writeHead(200, json).end('{"active":false,"active":true,"sub":"x"}'),
  ],
  [
    "redirects",
    (_request, response) => response.writeHead(307, { location: `${trapOrigin}/x` }).end(),
  ],
  ["sends megabytes", (_request, response) => flood(response)],
  ["says that megabytes come", (_request, response) => announce(response)],
  ["fails", (_request, response) => response.writeHead(500, json).end('{"active":true}')],
  ["cuts connections", (request) => request.socket.destroy()],
];

function trickle(response: ServerResponse): void {
  response.writeHead(200, json);
  const timer = setInterval(() => response.write(" "), 50);
  response.once("close", () => clearInterval(timer));
}

function flood(response: ServerResponse): void {
  response.writeHead(200, json);
  const chunk = Buffer.alloc(64 * 1024, " ");
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}

function announce(response: ServerResponse): void {
  response.writeHead(200, { ...json, "content-length": 64 * 1024 * 1024 });
  response.write("{");
}

for (const [what, misbehave] of FAULTS) {
  test(`a provider that ${what} harms only who needs it, and for no longer than it does`, async () => {
    const signed = stage.issuer.token({ roles: ["Admin"] });
    const pod = (): string => cluster.token({ audiences: ["sallyport"] });
    const known = opaque();
    assert.equal(await ask("/lasting/x", known), "200");
    assert.equal(await ask("/pods/x", pod()), "200");
    provider.misbehave = misbehave;
    cluster.misbehave = misbehave;
    const answers = {
      strict: new Set<string>(),
      lasting: new Set<string>(),
      pods: new Set<string>(),
      others: new Set<string>(),
    };
    const caller = async (): Promise<void> => {
      for (let left = LIMITS.requests; left > 0; left--) {
        answers.others.add(await ask("/strict/x", signed));
        answers.lasting.add(await ask("/lasting/x", known));
        if (left % 4 !== 0) continue;
        const started = performance.now();
        answers.strict.add(await ask("/strict/x", opaque()));
        answers.pods.add(await ask("/pods/x", pod()));
        assert.ok(performance.now() - started < LIMITS.answer);
      }
    };
    await Promise.all(Array.from({ length: LIMITS.callers }, caller));
    provider.misbehave = undefined;
    cluster.misbehave = undefined;
    assert.deepEqual([...answers.others], ["200"], "another issuer's tokens, on the same route");
    assert.deepEqual([...answers.lasting], ["200"], "what it had vouched for");
    assert.deepEqual([...answers.strict], ["503 identity-unavailable"]);
    assert.deepEqual([...answers.pods], ["503 identity-unavailable"]);
    assert.equal(await ask("/strict/x", opaque()), "200", "and it is asked again at once");
    assert.equal(await ask("/pods/x", pod()), "200");
    assert.deepEqual(trapped, []);
  });
}

test("a provider that is gone is as one that fails, and its word still serves", async () => {
  const known = opaque();
  assert.equal(await ask("/lasting/x", known), "200");
  await provider.close();
  assert.equal(await ask("/strict/x", opaque()), "503 identity-unavailable");
  const served = await Promise.all(Array.from({ length: 50 }, () => ask("/lasting/x", known)));
  assert.deepEqual([...new Set(served)], ["200"]);
  assert.equal(await ask("/strict/x", stage.issuer.token({ roles: ["Admin"] })), "200");
  const everything = stage.log() + stage.auditText();
  assert.ok(!everything.includes("opaque-") && !everything.includes("s3cret"));
});
