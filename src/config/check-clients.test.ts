import assert from "node:assert/strict";
import { test } from "node:test";
import { checkClientsWarnings } from "./check-clients.ts";
import { checkConfirmationWarnings } from "./check-confirmation.ts";
import { createDraft } from "./draft.ts";

const SPIFFE = { type: "mtls", trustDomain: "example.org", bundle: "mesh.json" };
const PLAIN = { type: "mtls", match: [{ dns: "*.example.org" }] };

interface Written {
  readonly listeners: readonly object[];
  readonly authenticators?: object;
  readonly routes?: readonly object[];
}

function draftOf(written: Written) {
  return createDraft(written, new Map()).draft;
}

function listener(options: object) {
  return { name: "edge", address: "127.0.0.1:0", ...options };
}

function asking(clients: object) {
  return listener({
    tls: { certificate: "a.pem", key: "a.key", clients: { mode: "optional", ...clients } },
  });
}

const findings = (listeners: readonly object[], authenticators: object) =>
  checkClientsWarnings(draftOf({ listeners, authenticators })).map(
    ({ path, message, remedy }) => `${path.join(".")}: ${message}; ${remedy}`,
  );

test("checkClientsWarnings() names who is trusted by no listener that asks for certificates", () => {
  const ways = { mesh: SPIFFE, other: { ...SPIFFE, trustDomain: "example.net" }, plain: PLAIN };
  const why = "no listener that asks for certificates trusts its authorities";
  assert.deepEqual(findings([asking({ authenticators: ["mesh"] }), listener({})], ways), [
    `authenticators.other: nobody can be known by "other": ${why}; tls.clients: { mode: optional, authenticators: [other] }`,
    `authenticators.plain: nobody can be known by "plain": ${why}; tls.clients: { mode: optional, ca: FILE }`,
  ]);
  assert.deepEqual(findings([asking({ ca: "all.pem" })], ways), []);
});

test("checkClientsWarnings() names those for whom no listener asks at all", () => {
  const [line = "", ...more] = findings([listener({})], { mesh: SPIFFE });
  assert.match(line, /no listener asks callers for a certificate/);
  assert.deepEqual(more, []);
});

test("checkClientsWarnings() says nothing where a listener is not valid, or there is none", () => {
  const broken = listener({ tls: { clients: { mode: "optional" } } });
  assert.deepEqual(findings([listener({}), broken], { mesh: SPIFFE }), []);
  assert.deepEqual(findings([], { mesh: SPIFFE }), []);
});

test("checkConfirmationWarnings() finds bound tokens that nobody can prove", () => {
  const route = (confirmation?: string) => ({
    name: "a",
    path: "/a",
    service: "a",
    authenticate: ["tokens"],
    ...(confirmation && { confirmation }),
  });
  const found = (one: object, confirmation?: string) =>
    checkConfirmationWarnings(
      draftOf({ listeners: [one], routes: [route(), route(confirmation)] }),
    ).map(({ path }) => path.join("."));
  const plain = listener({});
  assert.deepEqual(found(plain, "required"), ["routes.1.confirmation"]);
  assert.deepEqual(found(plain, "report"), []);
  assert.deepEqual(found(listener({ publicOrigin: "https://a.example" }), "required"), []);
  assert.deepEqual(found(asking({ ca: "all.pem" }), "required"), []);
  assert.deepEqual(found(listener({ publicOrigin: "nonsense" }), "required"), []);
});
