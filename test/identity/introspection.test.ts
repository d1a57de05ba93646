/**
 * Opaque tokens from outside: callers before a proxy as `sallyport run` starts it, and behind it a
 * provider that is asked about each token, in every way to prove which client asks.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { startEchoService, WebSocketClient } from "../../examples/websocket-service.ts";
import { createRoot } from "../certificates.ts";
import { type Stage, type StageOptions, startStage, until } from "../e2e/stage.ts";
import {
  type IntrospectionProvider,
  type ProviderOptions,
  startIntrospectionProvider,
} from "../introspection-provider.ts";
import { type Scope, shared } from "../shared.ts";

const AUDIENCE = "https://api.example";
const SECRET = "s: +3cr%t-CANARY";

interface Ground {
  readonly stage: Stage;
  readonly provider: IntrospectionProvider;
  readonly stageOptions: StageOptions;
}

interface GroundOptions {
  readonly provider?: Partial<ProviderOptions>;
  /** Lines of the authenticator, each indented by four spaces. */
  readonly client?: string;
  readonly more?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly routes?: string;
  readonly services?: string;
  readonly config?: string;
}

async function ground(t: Scope, options: GroundOptions = {}): Promise<Ground> {
  const provider = await startIntrospectionProvider({
    clients: { "sally port": { secret: SECRET, method: "basic" } },
    ...options.provider,
  });
  t.after(() => provider.close());
  const stageOptions = {
    authenticators: `
  legacy:
    type: introspection
    endpoint: ${provider.origin}/introspect
    client: ${options.client ?? '{ id: "sally port", secret: "${file:secret}" }'}
    audience: [${AUDIENCE}]
    principal: { kind: workload, roles: { claim: roles, allow: [Admin] } }
${options.more ?? ""}`,
    routes: `  - { name: opaque, path: "/opaque/*", service: recorder, authenticate: [legacy] }
  - { name: elsewhere, path: "/elsewhere/*", service: recorder, authenticate: [legacy], audience: ["https://elsewhere.example"] }
${options.routes ?? ""}`,
    policies: `
@id("opaque")
permit (
  principal is Sallyport::Workload in Sallyport::Role::"Admin",
  action,
  resource
) when { context.scopes.contains("read") };
`,
    secrets: { secret: SECRET, ...options.secrets },
    services: options.services ?? "",
    config: options.config ?? "",
  };
  const stage = await startStage(stageOptions);
  t.after(() => stage.close());
  provider.tokens.set("good", told());
  return { stage, provider, stageOptions };
}

function told(more: object = {}): object {
  const now = Math.floor(Date.now() / 1000);
  return { sub: "batch", aud: AUDIENCE, exp: now + 300, scope: "read", roles: ["Admin"], ...more };
}

interface Answer {
  readonly status: number;
  readonly reason: string | undefined;
  readonly challenge: string | null;
}

async function ask({ stage }: Ground, token: string, path = "/opaque/x"): Promise<Answer> {
  const response = await fetch(`http://${stage.proxy}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  const reason = response.ok ? undefined : (JSON.parse(text) as { reason: string }).reason;
  return { status: response.status, reason, challenge: response.headers.get("www-authenticate") };
}

const usual = shared((scope) => ground(scope));

test("an opaque token opens what its scopes and roles permit, and nothing reaches beyond", async () => {
  const g = await usual();
  assert.equal((await ask(g, "good")).status, 200);
  assert.equal((await ask(g, "good")).status, 200);
  assert.deepEqual(g.provider.asked, ["good"], "its answer is kept");
  g.provider.tokens.set("narrow", told({ scope: "write" }));
  assert.equal((await ask(g, "narrow")).reason, "no-permit");
  const elsewhere = await ask(g, "good", "/elsewhere/x");
  assert.equal(elsewhere.reason, "wrong-audience", "an audience is looked at for each route");
  const stranger = await ask(g, "stranger");
  assert.deepEqual([stranger.status, stranger.reason], [401, "inactive-token"]);
  assert.match(stranger.challenge ?? "", /^Bearer .*error="invalid_token"/);
  const everything = g.stage.log() + g.stage.auditText();
  for (const secret of [SECRET, "stranger", "CANARY"]) assert.ok(!everything.includes(secret));
});

test("a thousand parallel requests with one new token ask once", async () => {
  const g = await usual();
  g.provider.tokens.set("new", told());
  const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(g, "new")));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(g.provider.asked.filter((token) => token === "new").length, 1);
});

test("tokens that nobody knows spend their sender's budget", async (t) => {
  // What comes back each second is little, so that it is spent on a slow machine too.
  const g = await ground(t, { config: "limits: { failures: { burst: 20, perSecond: 0.01 } }" });
  const reasons = new Set<string | undefined>();
  for (let index = 0; index < 50 && !reasons.has("too-many-failures"); index++) {
    reasons.add((await ask(g, `guess-${index}`)).reason);
  }
  assert.deepEqual([...reasons], ["inactive-token", "too-many-failures"]);
  const asked = g.provider.asked.length;
  assert.equal((await ask(g, "one-more")).status, 429);
  assert.equal(g.provider.asked.length, asked, "and nobody is asked beyond it");
});

test("a reload asks nobody anew", async () => {
  const g = await usual();
  g.provider.tokens.set("lasting", told());
  assert.equal((await ask(g, "lasting")).status, 200);
  const policies = `${g.stageOptions.policies}\n@id("more") forbid (principal, action, resource) when { context.path == "/x" };`;
  await g.stage.reload({ ...g.stageOptions, policies });
  assert.equal((await ask(g, "lasting")).status, 200);
  assert.equal(g.provider.asked.filter((token) => token === "lasting").length, 1);
});

test("an open stream goes on while its token does, and ends when the provider ends it", async (t) => {
  const chat = await startEchoService({});
  t.after(() => chat.close());
  const g = await ground(t, {
    more: "    cache: { max: 200ms, inactive: 0s }",
    services: `  chat: { endpoints: ["http://${chat.address}"] }`,
    routes: `  - { name: chat, path: "/chat/*", service: chat, authenticate: [legacy], upgrades: [websocket], lifetime: none }
`,
  });
  const socket = await WebSocketClient.open(g.stage.proxy, "/chat/x", [
    "Authorization: Bearer good",
  ]);
  const asked = (): number => g.provider.asked.length;
  const before = asked();
  await until(() => asked() >= before + 2);
  g.provider.tokens.delete("good");
  assert.deepEqual(await socket.ended, { code: 1008, reason: "inactive-token" });
});

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const root = createRoot("provider root");
const server = root.issue({ name: "provider", ip: ["127.0.0.1"] });
const client = root.issue({ name: "sallyport" });
const stranger = createRoot("another root");

const METHODS: readonly (GroundOptions & { readonly name: string })[] = [
  {
    name: "client_secret_post",
    provider: { clients: { sallyport: { secret: SECRET, method: "post" } } },
    client: '{ id: sallyport, secret: "${file:secret}", method: client_secret_post }',
  },
  {
    name: "private_key_jwt",
    provider: { clients: { sallyport: { publicKey } } },
    client: "{ id: sallyport, privateKey: client-signing.key }",
    secrets: { "client-signing.key": privateKey.export({ type: "pkcs8", format: "pem" }) },
  },
  {
    name: "tls_client_auth",
    provider: {
      clients: { sallyport: { certificate: "any" } },
      tls: { cert: server.chainPem, key: server.keyPem, ca: root.pem },
    },
    client: "{ id: sallyport, certificate: client.pem, key: client.key }",
    more: "    ca: provider-ca.pem",
    secrets: {
      "client.pem": client.chainPem,
      "client.key": client.keyPem,
      "provider-ca.pem": root.pem,
    },
  },
];

for (const { name, ...options } of METHODS) {
  test(`the provider knows us by ${name}`, async (t) => {
    const g = await ground(t, options);
    assert.equal((await ask(g, "good")).status, 200, g.provider.refused.join());
    g.provider.tokens.set("second", told());
    assert.equal((await ask(g, "second")).status, 200, "and each time anew");
    assert.deepEqual(g.provider.refused, []);
  });
}

test("a provider that does not know us vouches for nobody, and the log says so", async (t) => {
  const g = await ground(t, { secrets: { secret: "wrong" } });
  const refused = await ask(g, "good");
  assert.deepEqual([refused.status, refused.reason], [503, "identity-unavailable"]);
  await until(() => /introspect: answered 401/.test(g.stage.log()));
});

test("a provider whose certificate leads to another authority gets no token", async (t) => {
  const g = await ground(t, {
    provider: { tls: { cert: server.chainPem, key: server.keyPem } },
    more: "    ca: provider-ca.pem",
    secrets: { "provider-ca.pem": stranger.pem },
  });
  assert.equal((await ask(g, "good")).reason, "identity-unavailable");
  assert.deepEqual(g.provider.asked, []);
});
