/**
 * Callers that are known by their certificates, from outside: real handshakes before a proxy as
 * `sallyport run` starts it, with two trust domains, plain certificates, and tokens beside them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import test, { after, before } from "node:test";
import {
  createRoot,
  der,
  extension,
  OID,
  sequence,
  type TestCertificate,
} from "../certificates.ts";
import { startStage, type Stage, until } from "../e2e/stage.ts";

const edge = createRoot("Edge");
const server = edge.issue({ name: "edge", dns: ["api.example"] });
const prod = createRoot("Root", { uri: ["spiffe://prod.example"] });
/** The same name on purpose: nothing may go by the names of authorities. */
const partner = createRoot("Root", { uri: ["spiffe://partner.example"] });
const devices = createRoot("Devices");

const svid = (id: string, issuer: TestCertificate = prod, more: object = {}): TestCertificate =>
  issuer.issue({ name: "svid", uri: [id], ...more });

const payments = svid("spiffe://prod.example/payments/api");
const batch = svid("spiffe://prod.example/batch");
const shop = svid("spiffe://partner.example/shop", partner);
const sensor = devices.issue({ name: "sensor-7", within: [[OID.organization, "Acme"]] });

const CONFIG = {
  listener: `    tls:
      certificate: edge.pem
      key: edge.key
      clients: { mode: optional, authenticators: [mesh, partners, devices] }`,
  authenticators: `
  mesh:
    type: mtls
    trustDomain: prod.example
    bundle: prod.pem
    match:
      - { path: "/payments/*", roles: [Payments] }
      - { path: "/{service}" }
  partners: { type: mtls, trustDomain: partner.example, bundle: partner.pem }
  devices:
    type: mtls
    ca: devices.pem
    match: [{ subject: "CN=sensor-*,O=Acme", attributes: { site: north } }]
    principal:
      kind: device
      subject: commonName
      attributes: { site: { type: string, default: unknown } }
`,
  routes: `  - { name: mesh, path: "/mesh/*", service: recorder, authenticate: [mesh, partners] }
  - { name: payments, path: "/payments/*", service: recorder, authenticate: [mesh] }
  - { name: device, path: "/device/*", service: recorder, authenticate: [devices] }
  - { name: token, path: "/token/*", service: recorder, authenticate: [test] }
  - { name: either, path: "/either/*", service: recorder, authenticate: [test, mesh] }
`,
  policies: `
@id("mesh") permit (principal is Sallyport::Workload, action, resource)
when { [Sallyport::Route::"mesh", Sallyport::Route::"token", Sallyport::Route::"either"].contains(resource) };
@id("payments") permit (principal in Sallyport::Role::"Payments", action, resource == Sallyport::Route::"payments");
@id("device") permit (principal is Sallyport::Device, action, resource == Sallyport::Route::"device")
when { principal.site == "north" };
@id("no-batch") forbid (principal, action, resource)
when { context has workload && context.workload == Sallyport::Workload::"mesh/spiffe://prod.example/batch" };
@id("no-sensors") forbid (principal is Sallyport::Workload, action, resource)
when { context has device && context.device == Sallyport::Device::"devices/sensor-7" };
`,
} as const;

const FILES: Readonly<Record<string, string>> = {
  "edge.pem": server.chainPem,
  "edge.key": server.keyPem,
  "prod.pem": prod.pem,
  "partner.pem": partner.pem,
  "devices.pem": devices.pem,
};

let stage: Stage;

before(async () => {
  stage = await startStage({
    ...CONFIG,
    prepare: (folder) => {
      for (const [name, text] of Object.entries(FILES)) {
        writeFileSync(join(folder, name), text, { mode: 0o600 });
      }
    },
  });
});

after(async () => {
  await stage.close();
});

/** By path, how often. */
const asked = new Map<string, number>();

interface Answer {
  readonly status: number;
  readonly reason: string | undefined;
}

/** A connection with this certificate, or without one. */
class Caller {
  readonly socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.socket = socket;
  }

  static async open(shown?: TestCertificate, more: readonly TestCertificate[] = []) {
    const [host = "", port] = stage.proxy.split(":");
    const own =
      shown === undefined
        ? {}
        : { cert: [shown, ...more].map(({ pem }) => pem).join(""), key: shown.keyPem };
    const socket = connect({
      host,
      port: Number(port),
      ca: edge.pem,
      servername: "api.example",
      ...own,
    });
    await once(socket, "secureConnect");
    return new Caller(socket);
  }

  async ask(path: string, token?: string): Promise<Answer> {
    let text = "";
    const whole = new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        text += chunk.toString("latin1");
        const length = /content-length: (\d+)/i.exec(text)?.[1];
        const head = text.indexOf("\r\n\r\n");
        if (head < 0 || length === undefined || text.length < head + 4 + Number(length)) return;
        this.socket.off("data", take);
        resolve();
      };
      this.socket.on("data", take);
      this.socket.once("error", reject);
      this.socket.once("close", () => resolve());
    });
    asked.set(path, (asked.get(path) ?? 0) + 1);
    const credential = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: api.example\r\n${credential}\r\n`);
    await whole;
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
    return { status, reason: /"reason":"([^"]+)"/.exec(text)?.[1] };
  }

  close(): void {
    this.socket.destroy();
  }
}

async function ask(
  path: string,
  shown?: TestCertificate,
  more: { readonly token?: string; readonly chain?: readonly TestCertificate[] } = {},
): Promise<Answer> {
  const caller = await Caller.open(shown, more.chain);
  try {
    return await caller.ask(path, more.token);
  } finally {
    caller.close();
  }
}

const permitted = { status: 200, reason: undefined };

test("a workload is known by its X.509-SVID, and gets what its path gives it", async () => {
  assert.deepEqual(await ask("/payments/x", payments), permitted);
  assert.deepEqual(await ask("/mesh/x", payments), permitted);
  assert.deepEqual(await lastDecision("/mesh/x"), {
    principal: "mesh/spiffe://prod.example/payments/api",
    workload: "mesh/spiffe://prod.example/payments/api",
  });
  assert.deepEqual(await ask("/payments/x", svid("spiffe://prod.example/billing")), {
    status: 403,
    reason: "no-permit",
  });
});

test("a federated trust domain is known by its own authenticator", async () => {
  assert.deepEqual(await ask("/mesh/x", shop), permitted);
  assert.equal((await lastDecision("/mesh/x")).principal, "partners/spiffe://partner.example/shop");
  // Of a trust domain that the route does not list, it is as if there were no certificate.
  assert.equal((await ask("/payments/x", shop)).reason, "missing-credential");
  await until(() =>
    stage.auditText().includes("CN=svid: no authenticator of the route is for this certificate"),
  );
});

test("an authority of one trust domain speaks for no other, though the listener trusts both", async () => {
  const forged = svid("spiffe://prod.example/payments/api", partner);
  assert.deepEqual(await ask("/payments/x", forged), { status: 401, reason: "wrong-identity" });
  assert.deepEqual(await ask("/payments/x", forged, { chain: [prod, partner] }), {
    status: 401,
    reason: "wrong-identity",
  });
  const device = devices.issue({ name: "x", uri: ["spiffe://prod.example/payments/api"] });
  assert.deepEqual(await ask("/payments/x", device), { status: 401, reason: "wrong-identity" });
});

test("what leads to no authority of any authenticator is refused on the connection", async () => {
  const stranger = createRoot("Root").issue({
    name: "svid",
    uri: ["spiffe://prod.example/payments/api"],
  });
  assert.deepEqual(await ask("/mesh/x", stranger), {
    status: 403,
    reason: "untrusted-certificate",
  });
  const self = createRoot("self", {
    uri: ["spiffe://prod.example/payments/api"],
    keyUsage: [1, 0x86],
  });
  assert.deepEqual(await ask("/mesh/x", self), { status: 403, reason: "untrusted-certificate" });
});

/** Each is signed by the right authority, and breaks a rule of X.509-SVIDs. */
const BROKEN: readonly (readonly [string, () => TestCertificate])[] = [
  [
    "two URIs",
    () => prod.issue({ name: "x", uri: ["spiffe://prod.example/a", "spiffe://prod.example/b"] }),
  ],
  ["no path", () => svid("spiffe://prod.example")],
  ["a port", () => svid("spiffe://prod.example:8443/a")],
  ["keyCertSign", () => svid("spiffe://prod.example/a", prod, { keyUsage: [2, 0x84] })],
  [
    "an authority",
    () => svid("spiffe://prod.example/a", prod, { authority: true, keyUsage: [1, 0x86] }),
  ],
];

for (const [what, make] of BROKEN) {
  test(`an X.509-SVID with ${what} is refused`, async () => {
    const answer = await ask("/mesh/x", make());
    assert.deepEqual(answer, { status: 401, reason: "wrong-identity" });
  });
}

test("an intermediate that is constrained to other names makes no workloads of ours", async () => {
  // RFC 5280 section 4.2.1.10: of URIs, the hosts that it may sign for.
  const constrained = (host: string): TestCertificate => {
    const subtrees = der(0xa0, sequence(der(0x86, Buffer.from(host, "ascii"))));
    const constraints = extension("2.5.29.30", true, sequence(subtrees));
    return prod.issue({ name: "Constrained", authority: true, extensions: [constraints] });
  };
  const right = constrained("prod.example");
  const own = svid("spiffe://prod.example/payments/api", right);
  assert.deepEqual(await ask("/mesh/x", own, { chain: [right] }), permitted);
  const wrong = constrained("other.example");
  const forged = svid("spiffe://prod.example/payments/api", wrong);
  assert.deepEqual(await ask("/mesh/x", forged, { chain: [wrong] }), {
    status: 403,
    reason: "untrusted-certificate",
  });
});

test("a device is known by a plain certificate", async () => {
  assert.deepEqual(await ask("/device/x", sensor), permitted);
  assert.equal((await lastDecision("/device/x")).principal, "devices/sensor-7");
  const other = devices.issue({ name: "sensor-7", within: [[OID.organization, "Evil"]] });
  assert.equal((await ask("/device/x", other)).reason, "missing-credential");
});

test("without a certificate nobody is known by one", async () => {
  assert.equal((await ask("/mesh/x")).reason, "missing-credential");
  assert.equal((await ask("/device/x")).reason, "missing-credential");
});

test("a forbid on the workload is not shed by adding a token", async () => {
  const token = stage.issuer.token({ sub: "somebody" });
  assert.equal((await ask("/mesh/x", batch)).reason, "forbidden");
  assert.deepEqual(await ask("/token/x", undefined, { token }), permitted);
  assert.deepEqual(await ask("/token/x", payments, { token }), permitted);
  // The route lists only the token, and the certificate is told to policies nevertheless.
  assert.equal((await ask("/token/x", batch, { token })).reason, "forbidden");
  assert.equal((await ask("/either/x", batch, { token })).reason, "forbidden");
  // The same of a device beside a workload's token.
  assert.equal((await ask("/token/x", sensor, { token })).reason, "forbidden");
});

test("with two credentials the route's order says who the principal is, and a bad one is refused", async () => {
  const token = stage.issuer.token({ sub: "somebody" });
  assert.deepEqual(await ask("/either/x", payments, { token }), permitted);
  assert.deepEqual(await lastDecision("/either/x"), {
    principal: "test/somebody",
    workload: "mesh/spiffe://prod.example/payments/api",
  });
  assert.deepEqual(await ask("/either/x", payments), permitted);
  assert.equal(
    (await lastDecision("/either/x")).principal,
    "mesh/spiffe://prod.example/payments/api",
  );
  const forged = svid("spiffe://prod.example/payments/api", partner);
  assert.equal((await ask("/either/x", forged, { token })).reason, "wrong-identity");
  assert.equal((await ask("/either/x", payments, { token: "bad" })).status, 401);
});

test("a bundle that changes is in force at once: for new connections, and on those that are open", async () => {
  const next = createRoot("Next", { uri: ["spiffe://prod.example"] });
  const renewed = svid("spiffe://prod.example/payments/api", next);
  const old = await Caller.open(payments);
  assert.deepEqual(await old.ask("/mesh/x"), permitted);
  assert.equal((await ask("/mesh/x", renewed)).reason, "untrusted-certificate");

  await replace("prod.pem", prod.pem + next.pem);
  assert.deepEqual(await ask("/mesh/x", renewed), permitted);
  assert.deepEqual(await old.ask("/mesh/x"), permitted);

  await replace("prod.pem", next.pem);
  assert.deepEqual(await ask("/mesh/x", renewed), permitted);
  assert.equal((await ask("/mesh/x", payments)).reason, "untrusted-certificate");
  assert.equal((await old.ask("/mesh/x")).reason, "untrusted-certificate");
  old.close();

  // One that is none changes nothing, and is said.
  const seen = stage.log().length;
  await replace("prod.pem", "nothing", /a trust bundle was not reloaded/);
  assert.ok(!stage.log().slice(seen).includes("authorities of callers changed"));
  assert.deepEqual(await ask("/mesh/x", renewed), permitted);
  await replace("prod.pem", prod.pem);
});

async function replace(
  name: string,
  text: string,
  said = /authorities of callers changed/,
): Promise<void> {
  const seen = stage.log().length;
  const file = join(stage.folder, name);
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  await until(() => said.test(stage.log().slice(seen)));
}

interface Named {
  readonly authenticator: string;
  readonly subject: string;
}

/** Of the last decision about a path: who it was about, as `authenticator/subject`. */
async function lastDecision(path: string): Promise<{
  readonly principal: string;
  readonly workload: string | undefined;
}> {
  const all = () =>
    stage.records().filter(({ type, path: of }) => type === "decision" && of === path);
  // Records are written in batches, a moment after the answer.
  await until(() => all().length === asked.get(path));
  const last = all().at(-1) as
    | { readonly principal?: Named; readonly workload?: Named }
    | undefined;
  const idOf = ({ authenticator, subject }: Named): string => `${authenticator}/${subject}`;
  assert.ok(last?.principal !== undefined);
  return {
    principal: idOf(last.principal),
    workload: last.workload === undefined ? undefined : idOf(last.workload),
  };
}
