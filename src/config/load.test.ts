import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ConfigError, formatProblem } from "../model/errors.ts";
import { inspectConfig, loadConfig } from "./load.ts";

const SECRET = "canary-s3cret";

const LEAST = `version: 1
listeners:
  - { name: edge, address: "127.0.0.1:0" }
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    jwks: file:keys.json
    audience: [https://api.example.com]
    principal:
      kind: { claim: kind, is: { user: u, workload: w } }
      roles: { claim: roles, allow: [Reader] }
      attributes: { tenant: { claim: tenant, type: string } }
services:
  billing: { endpoints: ["http://127.0.0.1:9001"], attributes: { public: false } }
routes:
  - name: billing
    path: /billing/{id}/*
    service: billing
    authenticate: [corp]
    attributes: { tier: 3 }
policies: { enforce: [policies] }
audit: { path: data/audit }
`;

/** A folder with a configuration that loads. */
function folder(
  context: TestContext,
  text = LEAST,
): { readonly dir: string; readonly file: string } {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-load-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "policies"));
  writeFileSync(join(dir, "policies", "b.cedar"), "permit (principal, action, resource);");
  writeFileSync(join(dir, "policies", "a.cedar"), "forbid (principal, action, resource);");
  writeFileSync(join(dir, "policies", "README.md"), "no policy");
  const { publicKey } = generateKeyPairSync("ed25519");
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "one" }];
  writeFileSync(join(dir, "keys.json"), JSON.stringify({ keys }));
  const file = join(dir, "sallyport.yaml");
  writeFileSync(file, text);
  return { dir, file };
}

test("loadConfig() gives typed options, policies in order, and the words for policies", async (context) => {
  const { dir, file } = folder(context);
  const loaded = await loadConfig(file);
  assert.equal(loaded.file, file);
  assert.equal(loaded.config.routes[0]?.timeout, 300_000);
  assert.deepEqual(
    loaded.policyFiles.map(({ name }) => name),
    ["policies/a.cedar", "policies/b.cedar"],
  );
  assert.deepEqual(loaded.vocabulary, {
    authenticators: [
      {
        name: "corp",
        kinds: ["user", "workload"],
        attributes: { tenant: "string" },
        bareRoles: ["Reader"],
      },
    ],
    services: [{ name: "billing", attributes: { public: false } }],
    routes: [{ name: "billing", service: "billing", attributes: { tier: 3 }, params: ["id"] }],
  });
  assert.deepEqual(loaded.warnings, []);
  // Paths are relative to the file, wherever the process runs.
  assert.equal(loaded.config.audit.path, join(dir, "data/audit"));
  assert.deepEqual(loaded.config.policies.enforce, [join(dir, "policies")]);
  const { corp } = loaded.config.authenticators;
  assert.ok(corp?.type === "jwt");
  assert.equal(corp.jwks, `file:${join(dir, "keys.json")}`);
});

test("loadConfig() freezes all that it gives", async (context) => {
  const loaded = await loadConfig(folder(context).file);
  const thaw = (value: unknown, path: string): string[] => {
    if (typeof value !== "object" || value === null) return [];
    const inside = Object.entries(value).flatMap(([key, item]) => thaw(item, `${path}.${key}`));
    return Object.isFrozen(value) ? inside : [path, ...inside];
  };
  assert.deepEqual(thaw(loaded, "loaded"), []);
});

test("loadConfig() gives a hash that changes with configuration and policies, not with secrets", async (context) => {
  const text = LEAST.replace("https://login.example.com", "${env:ISSUER}");
  const { dir, file } = folder(context, text);
  const one = await loadConfig(file, { env: { ISSUER: "https://a.example.com" } });
  const two = await loadConfig(file, { env: { ISSUER: "https://b.example.com" } });
  assert.match(one.hash, /^sha256-[\w-]{43}$/);
  assert.equal(one.hash, two.hash);
  writeFileSync(join(dir, "policies", "a.cedar"), "forbid (principal, action, resource) ;");
  const three = await loadConfig(file, { env: { ISSUER: "https://a.example.com" } });
  assert.notEqual(three.hash, one.hash);
  writeFileSync(file, `${text}# more\n`);
  const four = await loadConfig(file, { env: { ISSUER: "https://a.example.com" } });
  assert.notEqual(four.hash, three.hash);
});

test("loadConfig() takes files' and variables' contents in, relative to the file", async (context) => {
  const text = LEAST.replace("https://login.example.com", '"${file:secrets/issuer}"').replace(
    "Reader",
    '"${env:ROLE}"',
  );
  const { dir, file } = folder(context, text);
  mkdirSync(join(dir, "secrets"));
  writeFileSync(join(dir, "secrets", "issuer"), "https://id.example.com\n", { mode: 0o600 });
  const { config, warnings } = await loadConfig(file, { env: { ROLE: "Auditor" } });
  const { corp } = config.authenticators;
  assert.ok(corp?.type === "jwt");
  assert.equal(corp.issuer, "https://id.example.com");
  assert.deepEqual(corp.principal.roles?.allow, ["Auditor"]);
  assert.deepEqual(warnings, []);
});

test("inspectConfig() finds secret files that group or others may use", async (context) => {
  const text = LEAST.replace("https://login.example.com", '"${file:issuer}"');
  const { dir, file } = folder(context, text);
  writeFileSync(join(dir, "issuer"), "https://id.example.com");
  for (const [mode, found] of [
    [0o600, false],
    [0o400, false],
    [0o640, true],
    [0o604, true],
    [0o602, true],
  ] as const) {
    chmodSync(join(dir, "issuer"), mode);
    const { loaded, warnings } = await inspectConfig(file);
    assert.notEqual(loaded, undefined);
    assert.equal(warnings.length, found ? 1 : 0, mode.toString(8));
    if (found) assert.match(warnings[0]?.message ?? "", /secret file "issuer" is open to others/);
    if (found) assert.deepEqual([warnings[0]?.line, warnings[0]?.column], [7, 5]);
  }
});

test("loadConfig() never repeats what it put in, whatever is wrong with it", async (context) => {
  const places: [written: string, expression: string][] = [
    ["https://login.example.com\n    jwks: file:keys.json", '"${env:SECRET}"'],
    ["kind: {", 'kind: "${env:SECRET}"\n      x: {'],
    ["127.0.0.1:0", "${env:SECRET}"],
    ["http://127.0.0.1:9001", "http://${env:SECRET}@x"],
    ["/billing/{id}/*", '"${env:SECRET}"'],
    ["service: billing", 'service: "${env:SECRET}"'],
    ["[corp]", '["${env:SECRET}"]'],
    ["policies: { enforce: [policies", 'policies: { enforce: ["${env:SECRET}"'],
    ["file:keys.json", '"file:${env:SECRET}"'],
  ];
  for (const [written, expression] of places) {
    assert.ok(LEAST.includes(written), written);
    const { file } = folder(context, LEAST.replace(written, expression));
    const { problems } = await inspectConfig(file, { env: { SECRET } });
    const text = problems.map(formatProblem).join("\n");
    assert.notEqual(text, "", `${expression} was accepted for ${written}`);
    assert.ok(!text.includes(SECRET), text);
  }
});

test("inspectConfig() looks into the files that authenticators name beside key sets", async (context) => {
  const asking = `  asked:
    type: introspection
    endpoint: https://login.example.com/introspect
    ca: ca.pem
    client: { id: gateway, privateKey: client.key }
  cluster:
    type: kubernetes
    audience: [sallyport]
    apiServer: https://cluster.example:6443
    tokenFile: token
services:`;
  const { dir, file } = folder(context, LEAST.replace("services:", asking));
  const found = async () => {
    const { problems, warnings } = await inspectConfig(file);
    return [...problems, ...warnings].map(({ message }) => message);
  };
  assert.deepEqual(await found(), [
    'the file "ca.pem" cannot be used: ENOENT',
    'the file "client.key" cannot be used: ENOENT',
    'the file "token" cannot be used: ENOENT',
  ]);
  const pem = (label: string): string => `-----BEGIN ${label}-----\nAA==\n-----END ${label}-----\n`;
  writeFileSync(join(dir, "ca.pem"), "no PEM");
  writeFileSync(join(dir, "client.key"), pem("PRIVATE KEY"), { mode: 0o644 });
  writeFileSync(join(dir, "token"), "");
  assert.deepEqual(await found(), [
    'the file "ca.pem" cannot be used: it holds nothing in PEM',
    'the file "token" cannot be used: it is empty',
    'the secret file "client.key" is open to others (mode 0644)',
  ]);
  writeFileSync(join(dir, "ca.pem"), pem("CERTIFICATE"));
  // Tokens of pods are open to all of the pod.
  writeFileSync(join(dir, "token"), "abc", { mode: 0o644 });
  assert.deepEqual(await found(), ['the secret file "client.key" is open to others (mode 0644)']);
  const { loaded } = await inspectConfig(file);
  const { asked, cluster } = loaded?.config.authenticators ?? {};
  assert.ok(asked?.type === "introspection" && cluster?.type === "kubernetes");
  assert.deepEqual(
    [asked.ca, asked.client.privateKey, cluster.tokenFile],
    [join(dir, "ca.pem"), join(dir, "client.key"), join(dir, "token")],
  );
});

test("inspectConfig() finds keys of sessions and of their client that a proxy would not start with", async (context) => {
  const login = `  people:
    type: oidc
    issuer: https://login.example.com
    client: { id: console, privateKey: client.key }
    principal: { kind: user }
    session:
      idle: 1h
      keys:
        - { file: session.key }
        - { env: SESSION_KEY }
        - { command: ["false"] }
services:`;
  const written = LEAST.replace("services:", login);
  const { dir, file } = folder(
    context,
    written.replace(
      '"127.0.0.1:0"',
      '"127.0.0.1:0", publicOrigin: "https://app.example.com", serve: [login]',
    ),
  );
  const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64url");
  const put = (name: string, text: string, mode = 0o600): void => {
    writeFileSync(join(dir, name), text);
    chmodSync(join(dir, name), mode);
  };
  const line = LEAST.split("\n").indexOf("services:") + 1;
  const found = async (sessionKey: string | undefined = key(2)) => {
    const { problems, warnings } = await inspectConfig(file, { env: { SESSION_KEY: sessionKey } });
    return [...problems, ...warnings].map((problem) =>
      formatProblem(problem).replace(/^.*yaml:(\d+):\d+ {2}/, (_, at) => `+${Number(at) - line} `),
    );
  };
  const pem = (name: "ed25519" | "x25519"): string =>
    (name === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("x25519")
    ).privateKey.export({ type: "pkcs8", format: "pem" });
  const CLIENT = "a PEM file (PKCS #8) with an RSA, Ed25519, P-256, P-384 or P-521 key";
  const MAKE = "32 bytes, made with: openssl rand -base64 32";
  assert.deepEqual(await found(), [
    `+3 the file "client.key" cannot be used: ENOENT  ${CLIENT}`,
    `+8 session key: session.key cannot be read (ENOENT)  ${MAKE}`,
  ]);
  put("session.key", key(1));
  for (const text of [
    "no PEM",
    pem("x25519"),
    "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
  ]) {
    put("client.key", text);
    assert.deepEqual(await found(), [
      `+3 the file "client.key" cannot be used: it holds no private key that can be used  ${CLIENT}`,
    ]);
  }
  put("client.key", pem("ed25519"), 0o644);
  assert.deepEqual(await found(), [
    '+3 the secret file "client.key" is open to others (mode 0644)  chmod 600',
  ]);
  put("client.key", pem("ed25519"));
  assert.deepEqual(await found(), []);
  put("session.key", key(1), 0o644);
  assert.deepEqual(await found(), [
    "+8 session key: session.key has mode 0644, so others could read it; chmod it to 0600  chmod 600",
  ]);
  put("session.key", "c2hvcnQ");
  const [short = "", ...others] = await found();
  assert.match(short, /^\+8 session key: session\.key is not a key/);
  assert.deepEqual(others, []);
  put("session.key", key(2));
  assert.deepEqual(await found(), ["+9 the key of entry 2 stands there before  each key once"]);
});

test("loadConfig() looks into key files", async (context) => {
  const { dir, file } = folder(context);
  for (const [text, fault] of [
    ["{", /cannot be used/],
    ["{}", /a list `keys`/],
    ['{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', /public keys only/],
  ] as const) {
    writeFileSync(join(dir, "keys.json"), text);
    await assert.rejects(loadConfig(file), fault);
    await assert.rejects(loadConfig(file), /^ConfigError: .*:8:5 {2}the key file "keys\.json"/);
  }
});

test("loadConfig() throws all problems at once, and says where there is no file", async (context) => {
  const { dir, file } = folder(context, LEAST.replace("version: 1", "version: 2\nx: 1"));
  await assert.rejects(loadConfig(file), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.problems.length, 2);
    return true;
  });
  await assert.rejects(loadConfig(join(dir, "gone.yaml")), /cannot be read \(ENOENT\)/);
  writeFileSync(file, Buffer.from([0xff, 0xfe, 0x41]));
  await assert.rejects(loadConfig(file), /not UTF-8/);
});

test("inspectConfig() finds a SQLite store that cannot be made, or lies open to others", async (context) => {
  const { dir, file } = folder(context);
  writeFileSync(join(dir, "kek"), Buffer.alloc(32, 1).toString("base64url"), { mode: 0o600 });
  const storeIn = (path: string): string => `${LEAST}authority:
  issuer: https://sallyport.example.com
  store: sqlite:${path}
  keyEncryptionKey: { file: kek }
`;
  const says = async (path: string): Promise<string> => {
    writeFileSync(file, storeIn(path));
    return (await inspectConfig(file)).problems.map(formatProblem).join("\n");
  };
  assert.equal(await says("data/state/store.db"), "");
  assert.match(await says("keys.json/store.db"), /yaml:\d+:\d+ .*keys\.json is not a folder/);
  mkdirSync(join(dir, "open"));
  chmodSync(join(dir, "open"), 0o777);
  assert.match(await says("open/store.db"), /yaml:\d+:\d+ .*mode 0777/);
});
