import assert from "node:assert/strict";
import { test } from "node:test";
import { egressSchema, originOf } from "./egress-options.ts";

const BILLING = { host: "billing.internal", endpoints: ["https://10.0.0.1:8443"] };
const GOOD = {
  authority: { issuer: "https://authority.example" },
  identity: { certificate: "own.pem", key: "own.key" },
  listeners: [{ name: "out", address: "127.0.0.1:7070" }],
  allow: { billing: BILLING },
};

function problems(change: object): string[] {
  const { error } = egressSchema.safeParse({ ...GOOD, ...change });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("a sidecar needs little: keys are bound by DPoP, the origin follows from host and endpoints", () => {
  const { allow } = egressSchema.parse(GOOD);
  const { billing } = allow;
  assert.ok(billing !== undefined);
  assert.deepEqual(
    [billing.bind, billing.scopes, originOf(billing)],
    ["dpop", [], "https://billing.internal"],
  );
  const plain = { ...BILLING, endpoints: ["http://127.0.0.1:9001"] };
  const parsed = egressSchema.parse({ ...GOOD, allow: { plain } }).allow["plain"];
  assert.ok(parsed !== undefined);
  assert.equal(originOf(parsed), "http://billing.internal");
});

test("each way to lose a protection is refused, with its remedy", () => {
  const cases: [change: object, problem: RegExp][] = [
    [{ authority: {} }, /either issuer or tokenEndpoint/],
    [
      { authority: { issuer: "https://a.example", tokenEndpoint: "https://a.example/t" } },
      /either/,
    ],
    [{ authority: { issuer: "http://a.example" } }, /authority.issuer: .*https/],
    [{ authority: { tokenEndpoint: "http://10.0.0.1/token" } }, /tokenEndpoint: .*https/],
    [{ authority: { issuer: "https://u:p@a.example" } }, /without user/],
    [{ authority: { issuer: "https://a.example?x=1" } }, /without a query/],
    [{ identity: {} }, /identity: exactly one of/],
    [{ identity: { workloadApi: true, tokenFile: "t" } }, /identity: exactly one of/],
    [{ identity: { certificate: "own.pem" } }, /identity.key: /],
    [{ identity: { privateKey: "k.pem" } }, /identity.clientId: /],
    [{ identity: { tokenFile: "t", clientId: "x" } }, /identity.clientId: no clientId/],
    [{ identity: { tokenFile: "t", keyId: "x" } }, /identity.keyId: /],
    [{ listeners: [] }, /at least one listener/],
    [{ listeners: [{ name: "out" }] }, /either address or socket/],
    [
      { listeners: [{ name: "out", address: "127.0.0.1:1", socket: "s" }] },
      /either address or socket/,
    ],
    [{ listeners: [{ name: "out", address: "0.0.0.0:7070" }] }, /listeners.0.address: .*loopback/],
    [{ listeners: [{ name: "out", address: "10.0.0.1:7070" }] }, /listeners.0.address: .*loopback/],
    [
      { listeners: [{ name: "out", address: "127.0.0.1:1", insecurePlaintext: true }] },
      /insecurePlaintext: .*leave it out/,
    ],
    [
      { listeners: [{ name: "out", address: "127.0.0.1:1", service: "ledger" }] },
      /a service of allow: billing/,
    ],
    [{ allow: {} }, /allow: at least one/],
    [{ allow: { a: BILLING, b: BILLING } }, /allow.b.host: another host: "a"/],
    [{ allow: { a: { ...BILLING, host: "Billing" } } }, /lower case/],
    [{ allow: { a: { ...BILLING, host: "billing:8443" } } }, /lower case/],
    [{ allow: { a: { ...BILLING, origin: "https://b.example/" } } }, /without a path/],
    [
      { allow: { a: { ...BILLING, endpoints: ["http://10.0.0.1:80"] } } },
      /allow.a.endpoints: .*insecurePlaintext/,
    ],
    [
      { allow: { a: { ...BILLING, endpoints: ["dns://billing.internal.:80"] } } },
      /insecurePlaintext/,
    ],
    [{ allow: { a: { ...BILLING, insecurePlaintext: true } } }, /leave it out/],
    [{ allow: { a: { ...BILLING, tls: { insecureSkipVerify: true } } } }, /has to be verified/],
    [{ allow: { a: { ...BILLING, bind: "mtls" } } }, /mtls shows our certificate/],
    [{ allow: { a: { ...BILLING, bind: "none" } } }, /allow.a.bind: dpop or mtls/],
    [{ allow: { a: { ...BILLING, scopes: ["a b"] } } }, /a scope/],
    [{ allow: { a: { ...BILLING, scopes: ["a", "a"] } } }, /each scope once/],
    [{ allow: { a: { ...BILLING, details: [] } } }, /at least one/],
    [{ allow: { a: { ...BILLING, details: [{ method: "GET" }] } } }, /method/],
    [{ allow: { a: { ...BILLING, balance: "consistent-hash" } } }, /allow.a.balance/],
    [
      {
        identity: { tokenFile: "token" },
        allow: { a: { ...BILLING, bind: "mtls", tls: { certificate: "c", key: "k" } } },
      },
      /allow.a.bind: dpop or none/,
    ],
  ];
  for (const [change, problem] of cases) {
    const found = problems(change);
    assert.ok(
      found.some((one) => problem.test(one)),
      `${JSON.stringify(change)}: ${found.join(" | ")}`,
    );
  }
  assert.deepEqual(problems({}), []);
});

test("what is said to be meant is taken", () => {
  const open = { name: "out", address: "0.0.0.0:7070", insecurePlaintext: true };
  const plain = { ...BILLING, endpoints: ["dns://b.internal.:80"], insecurePlaintext: true };
  const mtls = { ...BILLING, host: "m", bind: "mtls", tls: { certificate: "c", key: "k" } };
  assert.deepEqual(problems({ listeners: [open], allow: { plain, mtls } }), []);
});
