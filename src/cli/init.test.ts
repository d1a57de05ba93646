import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isKeeper } from "../authority/authority-options.ts";
import { checkConfig } from "../config/check.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { type InitOptions, writeStarter } from "./init.ts";

const DEFAULTS: Omit<InitOptions, "dir"> = {
  service: [],
  issuer: "https://login.example.com",
  audience: "https://api.example.com",
  fromOpenapi: [],
};

function temporary(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-init-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a starter, and everything that `sallyport check` has to say about it. */
async function checked(folder: string, options: Partial<InitOptions>) {
  const dir = join(folder, "gate");
  const { notes } = await writeStarter({ ...DEFAULTS, ...options, dir });
  const file = join(dir, "sallyport.yaml");
  const { problems } = await checkConfig(file, { env: {}, clock: systemClock });
  return { dir, file, notes, findings: problems.map(formatProblem) };
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, "it did not throw a ConfigError");
  return error.message;
}

test("writeStarter() writes what passes check, with services or without", async (context) => {
  for (const service of [[], ["billing=http://127.0.0.1:9001", "orders=http://10.0.0.1"]]) {
    const { findings, notes } = await checked(temporary(context), { service });
    assert.deepEqual(findings, []);
    assert.deepEqual(notes, []);
  }
});

test("writeStarter() with an authority makes a key that only its owner can read, and passes check", async (context) => {
  const folder = temporary(context);
  const { dir, file, findings } = await checked(folder, { authority: true });
  assert.deepEqual(findings, []);
  const key = join(dir, "secrets", "kek");
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.equal(statSync(join(dir, "secrets")).mode & 0o777, 0o700);
  assert.match(readFileSync(key, "utf8"), /^[A-Za-z0-9_-]{43}\n$/);
  const readme = readFileSync(join(dir, "README.md"), "utf8");
  assert.match(readme, /sallyport status.*revocations revoke.*store backup FILE/s);
  assert.doesNotMatch(readme, /\$\{|undefined/);
  const { authority, admin } = (await loadConfig(file)).config;
  assert.ok(isKeeper(authority) && admin?.socket === join(dir, "run", "admin.sock"));
  // Each has one of its own.
  const other = await checked(temporary(context), { authority: true });
  const [one, two] = [dir, other.dir].map((at) => readFileSync(join(at, "secrets", "kek"), "utf8"));
  assert.notEqual(one, two);
});

test("writeStarter() takes issuer, keys and audience over", async (context) => {
  const options = {
    issuer: "https://id.example.org/realms/a: b",
    jwks: "https://id.example.org/keys",
    audience: "urn:example: #1",
  };
  const { file, findings } = await checked(temporary(context), options);
  assert.deepEqual(findings, []);
  const corp = (await loadConfig(file)).config.authenticators["corp"];
  assert.ok(corp?.type === "jwt");
  assert.equal(corp.issuer, options.issuer);
  assert.equal(corp.jwks, options.jwks);
  assert.deepEqual(corp.audience, [options.audience]);
});

test("writeStarter() makes one route for each path of an OpenAPI file, and its policies", async (context) => {
  const folder = temporary(context);
  const api = join(folder, "billing.yaml");
  writeFileSync(api, OPENAPI);
  const { dir, file, findings, notes } = await checked(folder, { fromOpenapi: [api] });
  assert.deepEqual(findings, []);
  const { config } = await loadConfig(file);
  assert.deepEqual(Object.keys(config.services), ["billing-api"]);
  assert.deepEqual(
    config.routes.map(({ name, path, methods }) => [name, path, methods]),
    [
      ["billing-api-invoices", "/v1/invoices", ["GET", "POST"]],
      ["billing-api-invoices-invoice-id", "/v1/invoices/{invoice_id}", ["GET", "DELETE"]],
      ["billing-api-health", "/v1/health", ["GET"]],
    ],
  );
  for (const { authenticate } of config.routes) assert.deepEqual(authenticate, ["corp"]);
  assert.deepEqual(
    notes.map((note) => note.replace(/^billing\.yaml: /, "")),
    [
      "its operations are not taken as actions: POST /invoices has no operationId, its name in policies and records (and 6 more); mend it, then openapi: of billing-api names it",
      "/invoices/{a} is left out: another path has the same shape",
      "/reports/{day}.csv is left out: its path is not one that a route can take",
      "/elsewhere is left out: it refers to another file",
      "/traced is left out: it has no method that the proxy takes",
    ],
  );
  const policies = readFileSync(join(dir, "policies", "billing-api.cedar"), "utf8");
  assert.match(policies, /context\.scopes\.contains\("billing:read"\)/);
  assert.match(policies, /has a scope that is not a valid one/);
  assert.match(policies, /They are not open.*\n.*\n\/\/ {3}GET \/v1\/health/);
  assert.doesNotMatch(policies, /^permit.*evil/m);
});

test("writeStarter() takes the operations of an OpenAPI file as actions, with tests that pass", async (context) => {
  for (const form of ["yaml", "json"]) {
    const folder = temporary(context);
    const api = join(folder, `shop.${form}`);
    writeFileSync(api, form === "json" ? JSON.stringify(DESCRIBED) : yamlOf(DESCRIBED));
    const { dir, file, findings, notes } = await checked(folder, { fromOpenapi: [api] });
    // Among what is checked are the tests, and the data file.
    assert.deepEqual([findings, notes], [[], []]);
    assert.deepEqual(
      readFileSync(join(dir, "openapi", `shop.${form}`), "utf8"),
      readFileSync(api, "utf8"),
    );
    const loaded = await loadConfig(file);
    assert.deepEqual(
      loaded.vocabulary.services.map(({ operations }) => operations?.map(({ id }) => id)),
      [["listOrders", "addOrder", "getOrder"]],
    );
    assert.match(
      readFileSync(join(dir, "policies", "shop.cedar"), "utf8"),
      /@id\("shop-orders-get"\)\npermit \(\n {2}principal,\n {2}action == Sallyport::Action::"shop:listOrders",/,
    );
    assert.deepEqual(loaded.policyFiles.map(({ name }) => name).includes("data/teams.yaml"), true);
    // They test something: with a policy that permits less, one fails.
    const policies = join(dir, "policies", "shop.cedar");
    const text = readFileSync(policies, "utf8");
    writeFileSync(policies, text.replace('Action::"write"', 'Action::"PUT"'));
    const { problems } = await checkConfig(file, { env: {}, clock: systemClock });
    assert.match(
      problems.map(formatProblem).join("\n"),
      /the test "POST \/orders by a writer" fails/,
    );
  }
});

test("writeStarter() gives an OpenAPI file the one service that is named", async (context) => {
  const folder = temporary(context);
  const api = join(folder, "api.json");
  writeFileSync(
    api,
    JSON.stringify({
      openapi: "3.0.3",
      info: { title: "X" },
      paths: { "/a": { get: { operationId: "a" } } },
    }),
  );
  const service = ["billing=http://127.0.0.1:9001"];
  const { file, findings, notes } = await checked(folder, { fromOpenapi: [api], service });
  assert.deepEqual(findings, []);
  assert.deepEqual(notes, []);
  assert.deepEqual((await loadConfig(file)).config.services["billing"]?.endpoints, [
    { host: "127.0.0.1", port: 9001, weight: 1 },
  ]);
});

test("writeStarter() takes a service over HTTP/2", async (context) => {
  const folder = temporary(context);
  const { file, findings } = await checked(folder, { service: ["stock=h2c://127.0.0.1:9001"] });
  assert.deepEqual(findings, []);
  assert.deepEqual((await loadConfig(file)).config.services["stock"]?.endpoints, [
    { host: "127.0.0.1", port: 9001, weight: 1, http2: true },
  ]);
});

test("writeStarter() refuses to overwrite, and then writes nothing", async (context) => {
  const dir = temporary(context);
  writeFileSync(join(dir, "README.md"), "mine");
  const message = await rejection(writeStarter({ ...DEFAULTS, dir }));
  assert.match(message, /README\.md {2}is there already/);
  assert.equal(readFileSync(join(dir, "README.md"), "utf8"), "mine");
  assert.throws(() => readFileSync(join(dir, "sallyport.yaml")));
});

test("writeStarter() refuses services and files that it cannot use", async (context) => {
  const dir = temporary(context);
  const file = join(dir, "api.yaml");
  const cases: [options: Partial<InitOptions>, text: string, message: RegExp][] = [
    [{ service: ["Billing=http://127.0.0.1:1"] }, "", /is not a service/],
    [{ service: ["billing"] }, "", /is not a service/],
    [{ service: ["billing=http://127.0.0.1:1/path"] }, "", /is not a service/],
    [{ service: ["billing=h2c://127.0.0.1:1/path"] }, "", /is not a service/],
    [{ service: ["billing=h2c://"] }, "", /is not a service.*name=h2c:/],
    [{ service: ["a=http://127.0.0.1:1", "a=http://127.0.0.1:2"] }, "", /stands twice/],
    [{ fromOpenapi: [join(dir, "gone.yaml")] }, "", /cannot be read \(ENOENT\)/],
    [{ fromOpenapi: [file] }, "swagger: '2.0'\n", /not an OpenAPI 3\.0 or 3\.1/],
    [{ fromOpenapi: [file] }, "openapi: 3.1.0\npaths: {}\n", /no path that a route can take/],
    [
      { fromOpenapi: [file] },
      "openapi: 3.1.0\nopenapi: 3.1.0\n",
      /:2:1 {2}the key "[^"]+" is there twice/,
    ],
    [{ fromOpenapi: [file, file] }, OPENAPI, /both .* describe \/v1\/invoices/],
  ];
  for (const [options, text, message] of cases) {
    writeFileSync(file, text);
    const target = join(dir, "gate");
    assert.match(await rejection(writeStarter({ ...DEFAULTS, ...options, dir: target })), message);
  }
});

/** JSON is YAML. */
function yamlOf(document: unknown): string {
  return `# a document\n${JSON.stringify(document)}\n`;
}

const DESCRIBED = {
  openapi: "3.1.0",
  info: { title: "Shop", version: "1" },
  servers: [{ url: "http://shop.internal:9001" }],
  paths: {
    "/orders": {
      get: { operationId: "listOrders", security: [{ oauth: ["orders:read"] }] },
      post: { operationId: "addOrder" },
    },
    "/orders/{order-id}": { get: { operationId: "getOrder" } },
  },
};

const OPENAPI = `openapi: 3.1.0
info: { title: "Billing API" }
servers: [{ url: "http://billing.internal:9001/v1/" }]
security: [{ oauth: ["billing:read"] }]
paths:
  /invoices:
    get: { operationId: listInvoices }
    post: { summary: "Makes one\\npermit (principal, action, resource) /* evil */;", security: [{ oauth: ["billing:write"] }] }
  /invoices/{invoice-id}:
    get: { operationId: getInvoice }
    delete: { security: [{ oauth: ["\\"quoted\\""] }] }
  /invoices/{a}:
    get: {}
  /reports/{day}.csv:
    get: {}
  /elsewhere: { $ref: "other.yaml#/x" }
  /traced: { trace: {} }
  /health: { $ref: "#/components/pathItems/health" }
components:
  pathItems:
    health: { get: { security: [] } }
`;
