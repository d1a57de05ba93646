/**
 * Key sets under stress, through the whole proxy: issuers that rotate in the middle of load, that share the
 * name of a key, that are flooded with invented names, and that hang, lie or send without end. None of
 * them costs a request of another, and nothing is asked of a host that the configuration does not name.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Stage, startStage } from "../e2e/stage.ts";
import { headerOf, keySetOf, signToken, testKey, type TestKey } from "../issuer.ts";
import { type Scope, shared } from "../shared.ts";

const AUDIENCE = "https://api.example";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer whose answers the test turns. */
interface Issuer {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  keys: readonly TestKey[];
  /** In place of the key set. */
  answer: Answer | undefined;
  token(key: TestKey, claims?: object, header?: object): string;
}

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function startIssuer(...keys: readonly TestKey[]): Promise<Issuer> {
  const issuer: Issuer = {
    url: "",
    asked: [],
    keys,
    answer: undefined,
    token(key, claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      const common = { iss: issuer.url, aud: AUDIENCE, sub: "caller", iat: now, exp: now + 300 };
      return signToken(key, { ...headerOf(key), ...header }, { ...common, ...claims });
    },
  };
  const server = createServer((request, response) => {
    issuer.asked.push(request.url ?? "");
    if (issuer.answer !== undefined) return issuer.answer(request, response);
    response.setHeader("content-type", "application/json");
    response.setHeader("cache-control", "max-age=3600");
    response.end(JSON.stringify(keySetOf(...issuer.keys)));
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(issuer, { url: `http://127.0.0.1:${port}` });
}

function authenticator(name: string, { url }: Issuer): string {
  return `  ${name}:
    type: jwt
    issuer: ${url}
    jwks: ${url}/jwks
    audience: [${AUDIENCE}]
    keys: { cooldown: 1s, timeout: 500ms }
    principal: { kind: workload }
`;
}

async function startProxy(issuers: Readonly<Record<string, Issuer>>, scope: Scope): Promise<Stage> {
  const names = Object.keys(issuers);
  const stage = await startStage({
    authenticators: Object.entries(issuers)
      .map(([name, issuer]) => authenticator(name, issuer))
      .join(""),
    routes: `  - { name: both, path: "/both/*", service: recorder, authenticate: [${names.join(", ")}] }`,
    policies: `
@id("callers")
permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"both");`,
    config: "limits: { failures: { burst: 100000, perSecond: 10000 } }",
  });
  scope.after(() => stage.close());
  return stage;
}

interface Answered {
  readonly status: number;
  readonly reason: string | undefined;
  readonly ms: number;
}

async function ask(stage: Stage, token: string): Promise<Answered> {
  const start = performance.now();
  const response = await fetch(`http://${stage.proxy}/both/x`, {
    headers: { authorization: `Bearer ${token}`, host: "api.example" },
  });
  const text = await response.text();
  const { reason } = response.ok ? { reason: undefined } : (JSON.parse(text) as { reason: string });
  return { status: response.status, reason, ms: performance.now() - start };
}

/** Callers that ask on and on, each with a token of its own every time, until `stop`. */
function load(stage: Stage, token: () => string) {
  const answers: Answered[] = [];
  const stopping = new AbortController();
  const callers = Array.from({ length: 8 }, async () => {
    while (!stopping.signal.aborted) {
      answers.push(await ask(stage, token()));
      // Callers that never pause would leave a busy machine nothing for what is tested.
      await pause(10);
    }
  });
  return {
    answers,
    async stop(): Promise<readonly Answered[]> {
      stopping.abort();
      await Promise.all(callers);
      return answers;
    },
  };
}

let serial = 0;
const unique = (): object => ({ jti: `j${++serial}` });

test("keys that rotate in the middle of load lose no request, announced or not", async (t) => {
  const [first, ...rest] = ["r1", "r2", "r3"].map((kid) => testKey(kid, "ES256"));
  assert.ok(first !== undefined);
  const issuer = await startIssuer(first);
  const other = await startIssuer(testKey("o1", "ES256"));
  const stage = await startProxy({ corp: issuer, other }, t);
  let signing = first;
  await longerThanCooldown();
  const running = load(stage, () => issuer.token(signing, unique()));
  for (const next of rest) {
    const before = running.answers.length;
    // Nobody was told: the new key is in the set from one moment to the next, and signs at once.
    issuer.keys = [signing, next];
    signing = next;
    await ask(stage, issuer.token(next, unique()));
    await enough(running.answers, before + 100);
    await longerThanCooldown();
  }
  const answers = await running.stop();
  assert.deepEqual(
    answers.filter(({ status }) => status !== 200),
    [],
    `of ${answers.length}`,
  );
  assert.ok(issuer.asked.length <= 1 + rest.length, `fetched ${issuer.asked.length} times`);
});

test("a key that left the set takes what it verified with it", async (t) => {
  const [old, next] = [testKey("l1", "ES256"), testKey("l2", "ES256")];
  const issuer = await startIssuer(old);
  const stage = await startProxy({ corp: issuer }, t);
  const token = issuer.token(old);
  assert.equal((await ask(stage, token)).status, 200);
  await longerThanCooldown();
  issuer.keys = [next];
  assert.equal(
    (await ask(stage, issuer.token(next))).status,
    200,
    "an unknown name is asked about",
  );
  assert.equal((await ask(stage, token)).reason, "unknown-key");
});

test("one name for two keys of two issuers is never mixed", async (t) => {
  const [ofCorp, ofOther] = [testKey("same", "ES256", "corp"), testKey("same", "ES256", "other")];
  const [corp, other] = [await startIssuer(ofCorp), await startIssuer(ofOther)];
  const stage = await startProxy({ corp, other }, t);
  for (let turn = 0; turn < 20; turn++) {
    const [good, alsoGood, bad, alsoBad] = await Promise.all([
      ask(stage, corp.token(ofCorp, unique())),
      ask(stage, other.token(ofOther, unique())),
      ask(stage, corp.token(ofOther, unique())),
      ask(stage, other.token(ofCorp, unique())),
    ]);
    assert.deepEqual([good.status, alsoGood.status], [200, 200]);
    assert.deepEqual([bad.reason, alsoBad.reason], ["invalid-signature", "invalid-signature"]);
  }
});

test("a flood of invented names makes a bounded number of fetches, and hinders nobody", async (t) => {
  const [key, forged] = [testKey("f1", "ES256"), testKey("forged", "ES256")];
  const issuer = await startIssuer(key);
  const stage = await startProxy({ corp: issuer }, t);
  await ask(stage, issuer.token(key));
  const start = performance.now();
  const good = load(stage, () => issuer.token(key, unique()));
  const reasons = new Set<string | undefined>();
  for (let round = 0; round < 40; round++) {
    const answers = await Promise.all(
      Array.from({ length: 25 }, (_, index) =>
        ask(stage, issuer.token(forged, {}, { kid: `invented-${round}-${index}` })),
      ),
    );
    for (const { reason } of answers) reasons.add(reason);
  }
  const answers = await good.stop();
  const seconds = (performance.now() - start) / 1000;
  assert.deepEqual([...reasons], ["unknown-key"]);
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok(
    issuer.asked.length <= 2 + seconds,
    `${issuer.asked.length} fetches in ${seconds} s, with a cooldown of one`,
  );
});

const canary = await startIssuer();

const FAULTS: readonly [name: string, answer: Answer][] = [
  ["hangs", () => undefined],
  [
    "sends its head and no more",
    (_, response) =>
      void response.writeHead(200, { "content-type": "application/json" }).write("{"),
  ],
  [
    "answers garbage",
    (_, response) => void response.writeHead(200, { "content-type": "application/json" }).end("{]"),
  ],
  [
    "answers a page",
    (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>"),
  ],
  ["answers 500", (_, response) => void response.writeHead(500).end()],
  [
    "redirects elsewhere",
    (_, response) => void response.writeHead(302, { location: `${canary.url}/jwks` }).end(),
  ],
  ["sends megabytes", (_, response) => megabytes(response)],
  ["closes the connection", (request) => void request.socket.destroy()],
  [
    "has no keys",
    (_, response) =>
      void response.writeHead(200, { "content-type": "application/json" }).end('{"keys":[]}'),
  ],
];

function megabytes(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  const piece = Buffer.alloc(64 * 1024, "[");
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

const wellKey = testKey("h1", "ES256");
const well = await startIssuer(wellKey);
/** One for each fault, with the key that it would show were it well. */
const sick = await Promise.all(
  FAULTS.map(async ([name, answer], index) => {
    const key = testKey(`s${index}`, "ES256");
    const issuer = await startIssuer(key);
    issuer.answer = answer;
    return { name, key, issuer };
  }),
);
const withSickIssuers = shared((scope) => {
  const named = sick.map(({ issuer }, index) => [`sick-${index}`, issuer] as const);
  return startProxy({ well, ...Object.fromEntries(named) }, scope);
});

for (const { name, key, issuer } of sick) {
  test(`an issuer that ${name} costs its own callers a bounded time, and others nothing`, async () => {
    const stage = await withSickIssuers();
    const good = load(stage, () => well.token(wellKey, unique()));
    const refused = await Promise.all(
      Array.from({ length: 10 }, () => ask(stage, issuer.token(key, unique()))),
    );
    await enough(good.answers, 50);
    const answers = await good.stop();
    assert.ok(answers.every(({ status }) => status === 200));
    for (const { status, reason } of refused) {
      assert.deepEqual([status, reason], [503, "identity-unavailable"]);
    }
    assert.deepEqual(canary.asked, [], "redirects are not followed");
    // Once it is well again, so are its callers, by themselves.
    issuer.answer = undefined;
    for (;;) {
      if ((await ask(stage, issuer.token(key, unique()))).status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
}

test("nothing in a token makes the proxy ask a host that the configuration does not name", async (t) => {
  const key = testKey("c1", "ES256");
  const issuer = await startIssuer(key);
  const stage = await startProxy({ corp: issuer }, t);
  const evil = testKey("evil", "ES256");
  const { url } = canary;
  for (const [claims, header] of [
    [{ iss: url }, {}],
    [{}, { jku: `${url}/jwks` }],
    [{}, { jku: `${url}/jwks`, kid: "evil" }],
    [{}, { x5u: `${url}/certificate` }],
    [{}, { jwk: evil.jwk }],
    [{ iss: `${issuer.url}@${url.slice("http://".length)}` }, {}],
  ] as const) {
    assert.equal((await ask(stage, issuer.token(evil, claims, header))).status, 401);
  }
  assert.deepEqual(canary.asked, []);
});

/** The proxy is another process with its own clock: an unknown name may be asked about again. */
async function longerThanCooldown(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1100));
}

/** Resolves once there are so many. */
async function enough(answers: readonly Answered[], count: number): Promise<void> {
  while (answers.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
}
