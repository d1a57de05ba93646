/**
 * A caller shows a certificate that only the runtime's verification refuses: it has a critical
 * extension that nobody here understands, or a name that its authority may not give. It comes at a
 * moment when it is refused for something that passes as well: the revocation list is out of date, or
 * the certificate's time has not begun. Then it keeps its connection open and waits. When the list is
 * renewed, what it was refused for is gone, and a proxy that asked the runtime only once, and kept
 * only the first reason, lets it in.
 *
 * And a caller that is refused asks on and on over its one connection: where each request looks for
 * the way to an authority anew, sixty bytes cost dozens of signatures, for which it can choose the keys.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { createRoot, der, extension } from "../certificates.ts";
import { clientOptions, TlsGround } from "../tls-ground.ts";
import { verifyPeer } from "../../src/http/tls-peer.ts";

const DAY_MS = 86_400_000;
const REVOKING = { clients: { mode: "optional", ca: "ca.pem", crl: "clients.crl" } };
const UNKNOWN = extension("1.3.6.1.4.1.55555.1", true, der(0x05));

test("what the runtime refuses stays refused when our own reason passes", async () => {
  await using ground = await new TlsGround({ options: REVOKING }).start();
  const past = { thisUpdate: new Date(0), nextUpdate: new Date(Date.now() - DAY_MS) };
  const future = new Date(Math.floor(Date.now() / 1000) * 1000 + DAY_MS);
  ground.files.set("clients.crl", ground.root.crl(past));
  ground.tls.reload();
  const cases = [
    { name: "odd", extensions: [UNKNOWN], reason: "revocation-unknown" },
    { name: "early", extensions: [UNKNOWN], notBefore: future, reason: "certificate-expired" },
  ];
  const seen = [];
  for (const { reason, ...options } of cases) {
    const caller = await ground.caller(clientOptions(ground.root.issue(options)));
    await caller.ask();
    const peer = ground.peers.at(-1);
    assert.equal(peer?.refusal(Date.now()), reason);
    seen.push({ caller, peer });
  }
  ground.files.set("clients.crl", ground.root.crl());
  ground.tls.reload();
  for (const { caller, peer } of seen) {
    assert.equal(peer?.refusal(future.getTime() + 1000), "untrusted-certificate");
    assert.equal(peer?.certificate, undefined);
    assert.match(peer?.detail ?? "", /^CN=(?:odd|early): /);
    caller.destroy();
  }
});

test("a caller that is refused makes us look for its authority once", () => {
  const stranger = createRoot("x").issue({ name: "leaf" });
  const fakes = Array.from({ length: 8 }, () => createRoot("x").der);
  let searches = 0;
  const trust = {
    get anchors() {
      searches += 1;
      return [];
    },
    lists: undefined,
  };
  const presented = {
    certificates: [stranger.der, ...fakes],
    authorized: false,
    authorizationError: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  };
  const peer = verifyPeer(presented, { current: trust }, Date.now());
  for (let request = 0; request < 100; request++) {
    assert.equal(peer.refusal(Date.now()), "untrusted-certificate");
  }
  assert.equal(searches, 1);
});
