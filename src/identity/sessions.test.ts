import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { SessionGround } from "../../test/session-ground.ts";
import { isFailure } from "../model/facts.ts";

test("sessions() knows by its cookie whom a login began it for", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada", roles: ["Reader"] });
  const answer = await ground.ask(browser);
  assert.ok(answer !== undefined && !isFailure(answer.result));
  assert.equal(answer.result.principal.subject, "ada");
  assert.deepEqual(answer.result.principal.roles, ["people/Reader"]);
  assert.equal(answer.result.kind, "oidc");
  assert.deepEqual(answer.setCookies, []);
});

test("sessions() reads the cookie of another process that has the key", async () => {
  const key = randomBytes(32);
  const one = new SessionGround({ keys: [key] });
  const other = new SessionGround({ keys: [key], shared: one.shared });
  const browser = await one.login({ sub: "ada" });
  assert.equal(await other.subject(browser), "ada");
});

test("sessions() ends what a logout ends, in this process and in others", async () => {
  const key = randomBytes(32);
  const one = new SessionGround({ keys: [key] });
  const other = new SessionGround({ keys: [key], shared: one.shared });
  const browser = await one.login({ sub: "ada" });
  const copy = browser.copy();
  const ended = await one.sessions.end(one.request(browser), one.clock.now());
  browser.take(ended.setCookies);
  assert.equal(ended.session?.subject, "ada");
  assert.equal(browser.header(), undefined);
  assert.equal(await one.reason(copy.copy()), "session-expired");
  assert.equal(await other.reason(copy), "session-expired");
});
