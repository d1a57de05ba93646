/**
 * Caches of verified tokens: Oathkeeper kept introspections without their scope (2026) and its cache
 * ignored what a rule required (#743); fast-jwt mixed up identities through its cache keys (2026).
 * What is cached here are facts about exactly one credential; each request on each route still asks
 * for the audience, the times and the roles.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, type Stage, startStage } from "../e2e/stage.ts";

const stage = await startStage({
  routes: `  - name: narrow
    path: /narrow/*
    service: recorder
    authenticate: [test]
    audience: [https://narrow.example]\n`,
  policies: `
@id("narrow")
permit (
  principal in Sallyport::Role::"Admin",
  action,
  resource == Sallyport::Route::"narrow"
);`,
});
after(() => stage.close());

type Call = (target: string, token: string) => Promise<[unknown, number | undefined]>;

function caller(attack: Stage["attack"]): Call {
  return (target, token) => callOn(attack, target, token);
}

function callOn(
  attack: Stage["attack"],
  target: string,
  token: string,
): Promise<[unknown, number | undefined]> {
  return attack(requestBytes(target, [`Authorization: Bearer ${token}`])).then((evidence) => {
    assertHarmless(evidence);
    return [reasonsOf(evidence)[0], statusesOf(evidence)[0]];
  });
}

testOverEach(
  stage,
  "a token that is good on one route is still asked for the audience of another",
  async ({ attack }) => {
    const call = caller(attack);
    const token = stage.issuer.token({ roles: ["Admin"] });
    assert.deepEqual(await call("/guarded/x", token), ["permitted", 200]);
    assert.deepEqual(await call("/narrow/x", token), ["wrong-audience", 401]);
    assert.deepEqual(await call("/guarded/x", token), ["permitted", 200]);
  },
);

testOverEach(
  stage,
  "a token that was refused on one route is still good on its own",
  async ({ attack }) => {
    const call = caller(attack);
    const token = stage.issuer.token({ roles: ["Admin"], aud: "https://narrow.example" });
    assert.deepEqual(await call("/guarded/x", token), ["wrong-audience", 401]);
    assert.deepEqual(await call("/narrow/x", token), ["permitted", 200]);
  },
);

testOverEach(
  stage,
  "tokens that differ only at their ends keep their own identities",
  async ({ attack }) => {
    const call = caller(attack);
    const admin = stage.issuer.token({ roles: ["Admin"], sub: "admin" });
    const nobody = stage.issuer.token({ roles: [], sub: "nobody" });
    const chimera = [...admin.split(".").slice(0, 2), nobody.split(".")[2]].join(".");
    const swapped = [admin.split(".")[0], nobody.split(".")[1], admin.split(".")[2]].join(".");
    for (let round = 0; round < 2; round += 1) {
      assert.deepEqual(await call("/guarded/x", admin), ["permitted", 200]);
      assert.deepEqual(await call("/guarded/x", nobody), ["no-permit", 403]);
      assert.deepEqual(await call("/guarded/x", chimera), ["invalid-signature", 401]);
      assert.deepEqual(await call("/guarded/x", swapped), ["invalid-signature", 401]);
    }
  },
);

testOverEach(stage, "on one connection each request is its own caller", async ({ attack }) => {
  const admin = `Authorization: Bearer ${stage.issuer.token({ roles: ["Admin"] })}`;
  const evidence = await attack(
    requestBytes("/guarded/a", [admin]) +
      requestBytes("/guarded/b") +
      requestBytes("/guarded/c", [`${admin}x`]) +
      requestBytes("/guarded/d", [admin]),
  );
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence).slice(0, 4), [200, 401, 401, 200]);
});
