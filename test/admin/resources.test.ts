/** What the resources show and change, by the typed client over the socket, on the real registers. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type AdminClient, createAdminClient } from "../../src/cli/admin-client.ts";
import { AdminCallError, createAdminTransport } from "../../src/cli/admin-transport.ts";
import { type Desks, desks } from "./desks.ts";
import { type AdminStage, adminStage, type AskOptions } from "./stage.ts";

interface Ground extends AdminStage {
  readonly client: AdminClient;
  readonly desks: Desks;
}

async function ground(t: TestContext): Promise<Ground> {
  const made = await desks(t);
  const stage = await adminStage(t, { desks: made });
  const client = createAdminClient(createAdminTransport({ socket: stage.socket }));
  return { ...stage, desks: made, client };
}

const problem =
  (status: number, reason: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof AdminCallError, String(error));
    assert.deepEqual([error.problem?.status, error.problem?.reason], [status, reason]);
    return true;
  };

void test("a machine is invited, disabled, enabled, invited anew and forgotten", async (t) => {
  const { client, decisions } = await ground(t);
  const invited = await client.enrolWorkload({ body: { name: "edge-1", kind: "proxy" } });
  assert.ok(invited.value.token.length > 40);
  const { workload } = invited.value;
  assert.deepEqual(
    [workload.name, workload.kind, workload.method, workload.state, workload.createdBy],
    ["edge-1", "proxy", "mtls", "invited", "local/1000"],
  );
  const again = client.enrolWorkload({ body: { name: "edge-1" } });
  await assert.rejects(again, problem(409, "conflict"));
  const { etag, value } = await client.getWorkload({ name: "edge-1" });
  assert.equal(etag, invited.etag);
  assert.deepEqual(value, workload);
  const body = { reason: "lost" };
  const disabled = await client.disableWorkload({ name: "edge-1", ifMatch: etag, body });
  assert.equal(disabled.value.state, "disabled");
  assert.equal(disabled.value.disabled?.reason, "lost");
  // The tag is that of before.
  const stale = client.enableWorkload({ name: "edge-1", ifMatch: etag });
  await assert.rejects(stale, problem(412, "changed"));
  await assert.rejects(client.reenrolWorkload({ name: "edge-1" }), problem(409, "conflict"));
  await client.enableWorkload({ name: "edge-1", ifMatch: disabled.etag });
  const anew = await client.reenrolWorkload({ name: "edge-1", body: { now: true } });
  assert.notEqual(anew.value.token, invited.value.token);
  assert.equal((await client.listWorkloads()).value.workloads.length, 1);
  const wrong = client.removeWorkload({ name: "edge-1", ifMatch: '"1"' });
  await assert.rejects(wrong, problem(412, "changed"));
  await client.removeWorkload({ name: "edge-1", ifMatch: anew.etag });
  await assert.rejects(client.getWorkload({ name: "edge-1" }), problem(404, "not-found"));
  assert.equal(decisions[0]?.action, "admin:enrolWorkload");
  assert.equal(decisions.at(-1)?.params["name"], "edge-1");
});

void test("no join token is in the log, the records or the store", async (t) => {
  const { client, decisions, completions, log, desks: made } = await ground(t);
  const { value } = await client.enrolWorkload({
    body: { name: "edge-1" },
    idempotencyKey: "key-1",
  });
  const kept = await Promise.all(
    (["workloads", "join-tokens", "idempotency"] as const).map((one) =>
      made.store.list(one, { limit: 10 }),
    ),
  );
  const all = JSON.stringify([decisions, completions, log.lines, kept]);
  assert.ok(!all.includes(value.token));
});

void test("access is taken away and given back", async (t) => {
  const { client } = await ground(t);
  const target = { kind: "subject", authenticator: "corp", subject: "eve" } as const;
  const made = await client.createRevocation({
    body: { target, mode: "revoke", reason: "left" },
  });
  const { id } = made.value;
  assert.deepEqual(made.value.target, target);
  assert.ok(made.value.revokedUntil !== undefined);
  assert.equal(made.value.by, "local/1000");
  const until = new Date(Date.now() + 60_000).toISOString();
  const blocked = await client.createRevocation({ body: { target, mode: "block", until } });
  assert.equal(blocked.value.id, id);
  assert.equal(blocked.value.blocked?.until, until);
  const stale = client.liftRevocation({ id, ifMatch: made.etag });
  await assert.rejects(stale, problem(412, "changed"));
  await client.liftRevocation({ id, mode: "block", ifMatch: blocked.etag });
  const left = await client.getRevocation({ id });
  assert.equal(left.value.blocked, undefined);
  assert.equal((await client.listRevocations()).value.revocations.length, 1);
  await client.liftRevocation({ id });
  await assert.rejects(client.getRevocation({ id }), problem(404, "not-found"));
  await assert.rejects(client.liftRevocation({ id }), problem(404, "not-found"));
});

void test("a revocation that would deny nothing is 400 with its place", async (t) => {
  const { client } = await ground(t);
  const target = { kind: "service", service: "billing" } as const;
  for (const [body, at] of [
    [{ target, mode: "block", until: "2020-01-01T00:00:00Z" }, "/until"],
    [{ target, mode: "revoke", until: "2990-01-01T00:00:00Z" }, "/until"],
    [{ target, mode: "block", expires: "2990-01-01T00:00:00Z" }, "/expires"],
    [{ target, mode: "revoke", expires: "2100-01-01T00:00:00Z" }, "/expires"],
    [{ target, mode: "block", until: "2100-01-01T00:00:00Z" }, "/until"],
  ] as const) {
    await assert.rejects(client.createRevocation({ body }), (error: unknown) => {
      assert.ok(error instanceof AdminCallError);
      assert.equal(error.problem?.faults?.[0]?.at, at);
      return true;
    });
  }
});

void test("a revocation of a name that the configuration does not have is 422, unless it is unchecked", async (t) => {
  const { client } = await ground(t);
  for (const [target, at, says] of [
    [{ kind: "authenticator", authenticator: "crop" }, "/target/authenticator", /mean corp\?/],
    [{ kind: "id", authenticator: "crop", id: "1" }, "/target/authenticator", /mean corp\?/],
    [{ kind: "subject", authenticator: "crop", subject: "eve" }, "/target/authenticator", /corp/],
    [{ kind: "service", service: "biling" }, "/target/service", /mean billing\?/],
    [{ kind: "service", service: "elsewhere" }, "/target/service", /is called elsewhere$/],
    [{ kind: "subject", authenticator: "corp", subject: "corp/eve" }, "/target/subject", /: eve$/],
  ] as const) {
    for (const mode of ["revoke", "block"] as const) {
      await assert.rejects(
        client.createRevocation({ body: { target, mode } }),
        (error: unknown) => {
          assert.ok(error instanceof AdminCallError);
          assert.deepEqual([error.problem?.status, error.problem?.reason], [422, "unknown-name"]);
          assert.equal(error.problem?.faults?.[0]?.at, at);
          assert.match(error.problem?.faults?.[0]?.message ?? "", says);
          return true;
        },
      );
    }
    assert.deepEqual((await client.listRevocations()).value.revocations, []);
    const body = { target, mode: "block", unchecked: true } as const;
    const { value } = await client.createRevocation({ body });
    assert.deepEqual(value.target, target);
    await client.liftRevocation({ id: value.id });
  }
});

void test("lists of the store come in pages that together are the whole", async (t) => {
  const { client } = await ground(t);
  const wanted: string[] = [];
  for (let index = 0; index < 7; index++) {
    const service = `s${index}`;
    const target = { kind: "service", service } as const;
    const body = { target, mode: "block", unchecked: true } as const;
    wanted.push((await client.createRevocation({ body })).value.id);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const { value } = await client.listRevocations({ limit: 3, cursor });
    for (const { id } of value.revocations) seen.push(id);
    cursor = value.next;
  } while (cursor !== undefined);
  assert.deepEqual(seen, wanted.toSorted());
});

void test("keys are shown without their private halves, and change when asked", async (t) => {
  const { client, ask } = await ground(t);
  const { value } = await client.listKeys();
  const active = value.keys.filter(({ state, use }) => state === "active" && use === "tokens");
  assert.equal(active.length, 1);
  const reply = await ask("/v1/keys", { door: "socket" });
  assert.doesNotMatch(reply.text, /"d":|sealed|PRIVATE/);
  const rotated = await client.rotateKeyNow({ use: "tokens" });
  const [now] = rotated.value.keys;
  assert.equal(rotated.value.keys.length, 1);
  assert.equal(now?.because, "emergency");
  assert.equal(now?.by, "local/1000");
  assert.deepEqual(
    now?.replaced,
    active.map(({ kid }) => kid),
  );
});

void test("roots are shown without their private halves, and change when asked", async (t) => {
  const { client, ask } = await ground(t);
  const [first, ...others] = (await client.listRoots()).value.roots;
  assert.deepEqual([first?.state, others.length], ["active", 0]);
  assert.match(first?.certificate ?? "", /^-----BEGIN CERTIFICATE-----\n/);
  const reply = await ask("/v1/roots", { door: "socket" });
  assert.doesNotMatch(reply.text, /"d":|sealed|PRIVATE/);
  const both = await client.rotateRoot();
  assert.deepEqual(
    both.value.roots.map(({ state }) => state),
    ["active", "upcoming"],
  );
  const { value } = await client.rotateRootNow();
  const [now] = value.roots;
  assert.deepEqual([value.roots.length, now?.because, now?.by], [1, "emergency", "local/1000"]);
  assert.notEqual(now?.certificate, first?.certificate);
});

void test("publications are shown newest first, with who is to run what", async (t) => {
  const { client } = await ground(t);
  const page = await client.listBundles({ limit: 1 });
  const [first] = page.value.bundles;
  assert.ok(first !== undefined);
  assert.equal(first.inForce, true);
  assert.deepEqual(
    first.parts.map(({ proxies, services }) => [proxies, services]),
    [
      ["edge-*", ["billing"]],
      ["*", undefined],
    ],
  );
  const rest = await client.listBundles({ cursor: page.value.next });
  assert.deepEqual([rest.value.bundles.length, rest.value.next], [1, undefined]);
  assert.deepEqual((await client.getBundle({ hash: first.hash })).value, first);
  const other = `sha256-${"x".repeat(43)}`;
  await assert.rejects(client.getBundle({ hash: other }), problem(404, "not-found"));
});

void test("what a process has not is 404 and says so; a store that is away is 503", async (t) => {
  const bare = await adminStage(t);
  const client = createAdminClient(createAdminTransport({ socket: bare.socket }));
  for (const call of [
    client.listWorkloads(),
    client.listRevocations(),
    client.listKeys(),
    client.listRoots(),
    client.listBundles(),
    client.enrolWorkload({ body: { name: "edge-1" }, idempotencyKey: "k" }),
  ]) {
    await assert.rejects(call, problem(404, "not-here"));
  }
  await assert.rejects(
    client.listRevocations(),
    /keeps no revocations; ask the authority, or let this process be one \(authority with issuer, /,
  );
  const whole = await ground(t);
  whole.desks.store.away = true;
  for (const call of [
    whole.client.listWorkloads(),
    whole.client.enrolWorkload({ body: { name: "edge-1" } }),
    whole.client.enrolWorkload({ body: { name: "edge-1" }, idempotencyKey: "k" }),
  ]) {
    await assert.rejects(call, problem(503, "store-unavailable"));
  }
  const { value } = await whole.client.getStatus();
  assert.deepEqual(value.store, { reachable: false });
});

void test("a request that is repeated with its key is done once, and answered as the first time", async (t) => {
  const { client, ask, desks: made } = await ground(t);
  const target = { kind: "service", service: "billing" } as const;
  const body = JSON.stringify({ target, mode: "block" });
  const post = (key: string, text = body) =>
    ask("/v1/revocations", {
      door: "socket",
      method: "POST",
      body: text,
      headers: { "idempotency-key": key },
    });
  const first = await post("k1");
  assert.equal(first.status, 201);
  const { number } = await made.store.now();
  const second = await post("k1");
  assert.deepEqual([second.status, second.text], [first.status, first.text]);
  assert.equal(second.headers["idempotent-replayed"], "true");
  assert.equal(second.headers["etag"], first.headers["etag"]);
  assert.equal((await made.store.now()).number, number, "nothing was written");
  const other = await post("k1", JSON.stringify({ target, mode: "revoke" }));
  assert.deepEqual([other.status, other.body.reason], [422, "key-reused"]);
  for (const key of ["", "a b", "x".repeat(129)]) assert.equal((await post(key)).status, 400, key);
  // Of an answer with a secret only that it was given.
  const enrol = { body: { name: "edge-1" }, idempotencyKey: "k2" };
  await client.enrolWorkload(enrol);
  await assert.rejects(client.enrolWorkload(enrol), problem(409, "shown-once"));
  // A refusal is an answer too: that the name is free by now changes it as little as a success would.
  const taken = { body: { name: "edge-1" }, idempotencyKey: "k3" };
  await assert.rejects(client.enrolWorkload(taken), problem(409, "conflict"));
  await client.removeWorkload({ name: "edge-1" });
  await assert.rejects(client.enrolWorkload(taken), problem(409, "conflict"));
});

void test("a key is of one caller, and what failed on our side is done again", async (t) => {
  const made = await desks(t);
  let broken = false;
  const workloads: Desks["workloads"] = {
    ...made.workloads,
    enrol: (name, options) =>
      broken ? Promise.reject(new TypeError("a defect")) : made.workloads.enrol(name, options),
  };
  const { ask } = await adminStage(t, { desks: { ...made, workloads } });
  const body = JSON.stringify({ name: "edge-1" });
  const enrol = (key: string, how: AskOptions) =>
    ask("/v1/workloads", { ...how, method: "POST", body, headers: { "idempotency-key": key } });
  assert.equal((await enrol("k1", { door: "socket" })).status, 201);
  const another = await enrol("k1", { roles: ["Operator"] });
  assert.equal(another.body.reason, "conflict", "it was tried, not replayed");
  broken = true;
  assert.equal((await enrol("k2", { roles: ["Operator"] })).body.reason, "internal-error");
  broken = false;
  assert.equal((await enrol("k2", { roles: ["Operator"] })).body.reason, "conflict");
});

void test("two requests with one key at once are one", async (t) => {
  const { ask } = await ground(t);
  const target = { kind: "service", service: "billing" };
  const how = {
    door: "socket",
    method: "POST",
    body: JSON.stringify({ target, mode: "block" }),
    headers: { "idempotency-key": "k1" },
  } as const;
  const replies = await Promise.all([1, 2, 3].map(() => ask("/v1/revocations", how)));
  const statuses = replies.map(({ status }) => status);
  assert.ok(statuses.includes(201), String(statuses));
  for (const { status, body } of replies) {
    if (status !== 201) assert.equal(body.reason, "in-progress");
  }
});

void test("bodies that are too large, of another type, no JSON or not wanted are refused", async (t) => {
  const { ask } = await ground(t);
  const post = (body: string, headers: Record<string, string> = {}) =>
    ask("/v1/workloads", { door: "socket", method: "POST", body, headers });
  assert.equal((await post("x".repeat(70_000))).body.reason, "body-too-large");
  const plain = await post('{"name":"a"}', { "content-type": "text/plain" });
  assert.equal(plain.body.reason, "unsupported-media-type");
  const coded = await post('{"name":"a"}', { "content-encoding": "gzip" });
  assert.equal(coded.body.reason, "unsupported-media-type");
  assert.equal((await post('{"name":"a",')).body.reason, "malformed-body");
  assert.equal((await post('{"name":"a","name":"b"}')).body.reason, "malformed-body");
  const empty = await post("");
  assert.deepEqual([empty.status, empty.body.reason], [400, "invalid-input"]);
  const more = await post('{"name":"a","admin":true}');
  assert.deepEqual([more.status, more.body.reason], [400, "invalid-input"]);
  const headers = { "content-length": "2" };
  const get = { door: "socket", method: "GET", body: "{}", headers } as const;
  assert.equal((await ask("/v1/status", get)).body.reason, "unexpected-body");
});

void test("an API key is shown once: neither its holder's retry nor anybody's look shows it again", async (t) => {
  const { client, desks: made, ask } = await ground(t);
  const body = { authenticator: "partners", owner: "acme" };
  const first = await client.createApiKey({ body, idempotencyKey: "k" });
  const { key, apiKey } = first.value;
  assert.match(key, /^sp_[0-9A-Za-z]{49}$/);
  await assert.rejects(
    client.createApiKey({ body, idempotencyKey: "k" }),
    problem(409, "shown-once"),
  );
  // The same key of another caller is another wish, and gets a key of its own.
  const other = await ask("/v1/api-keys", {
    method: "POST",
    roles: ["Operator"],
    body: JSON.stringify(body),
    headers: { "idempotency-key": "k" },
  });
  assert.equal(other.status, 201);
  assert.ok(!other.text.includes(key));
  const changed = { body: { ...body, owner: "eve" }, idempotencyKey: "k" };
  await assert.rejects(client.createApiKey(changed), problem(422, "key-reused"));
  const { value, etag } = await client.getApiKey({ id: apiKey.id });
  assert.deepEqual([value, etag], [apiKey, first.etag]);
  const listed = await client.listApiKeys();
  assert.equal(listed.value.apiKeys.length, 2);
  const kept = await Promise.all(
    (["api-keys", "idempotency", "mac-keys"] as const).map((one) =>
      made.store.list(one, { limit: 100 }),
    ),
  );
  assert.ok(!JSON.stringify([kept, value, listed.value]).includes(key.slice(3, 40)));
});

void test("an API key is changed only as it was read, and by its own rules", async (t) => {
  const { client } = await ground(t);
  const first = await client.createApiKey({ body: { authenticator: "partners", owner: "acme" } });
  const { id } = first.value.apiKey;
  const stale = { id, ifMatch: '"1"' };
  await assert.rejects(client.rotateApiKey(stale), problem(412, "changed"));
  await assert.rejects(client.revokeApiKey(stale), problem(412, "changed"));
  await assert.rejects(client.removeApiKey(stale), problem(412, "changed"));
  const next = await client.rotateApiKey({ id, ifMatch: first.etag });
  assert.equal(next.value.former?.state, "replaced");
  assert.equal(next.value.apiKey.replaces, id);
  const again = await client.revokeApiKey({ id: next.value.apiKey.id, ifMatch: next.etag });
  assert.equal(again.value.state, "revoked");
  const rotated = client.rotateApiKey({ id: next.value.apiKey.id });
  await assert.rejects(rotated, problem(409, "conflict"));
  const past = { authenticator: "partners", owner: "a", expires: "2020-01-01T00:00:00Z" };
  await assert.rejects(client.createApiKey({ body: past }), problem(400, "invalid-input"));
  await assert.rejects(client.getApiKey({ id: "0".repeat(32) }), problem(404, "not-found"));
});

void test("a client's secret is shown once, and it is changed only as it was read", async (t) => {
  const { client, desks: made } = await ground(t);
  const body = { id: "billing-job", key: { insecureSecret: true } } as const;
  const first = await client.createClient({ body, idempotencyKey: "k" });
  const { secret = "" } = first.value;
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
  const repeated = client.createClient({ body, idempotencyKey: "k" });
  await assert.rejects(repeated, problem(409, "shown-once"));
  await assert.rejects(client.createClient({ body }), problem(409, "conflict"));
  const { value, etag } = await client.getClient({ id: "billing-job" });
  assert.deepEqual([value, etag], [first.value.client, first.etag]);
  const stale = { id: "billing-job", ifMatch: '"1"' };
  const certificate = { certificate: "A".repeat(43) };
  const key = value.keys[0]?.id ?? "";
  const changed = problem(412, "changed");
  await assert.rejects(client.addClientKey({ ...stale, body: certificate }), changed);
  await assert.rejects(client.removeClientKey({ ...stale, key }), changed);
  await assert.rejects(client.disableClient(stale), changed);
  await assert.rejects(client.enableClient(stale), changed);
  await assert.rejects(client.removeClient(stale), changed);
  assert.deepEqual(await made.revocations.list({ limit: 10 }), [], "nothing was ended");
  const added = await client.addClientKey({ id: "billing-job", ifMatch: etag, body: certificate });
  const again = client.addClientKey({ id: "billing-job", body: certificate });
  await assert.rejects(again, problem(409, "conflict"));
  await client.removeClientKey({ id: "billing-job", key, ifMatch: added.etag });
  const kept = await Promise.all(
    (["clients", "idempotency"] as const).map((one) => made.store.list(one, { limit: 100 })),
  );
  assert.ok(!JSON.stringify([kept, value]).includes(secret));
});

void test("a client that the configuration declares is shown, and changed there only", async (t) => {
  const { client } = await ground(t);
  const id = "declared-job";
  const { value } = await client.getClient({ id });
  assert.deepEqual([value.source, value.roles, value.keys], ["declared", ["Biller"], []]);
  const conflict = problem(409, "conflict");
  await assert.rejects(client.createClient({ body: { id } }), conflict);
  await assert.rejects(client.disableClient({ id }), conflict);
  await assert.rejects(client.removeClient({ id }), conflict);
  const unfit = { id: "other", attributes: { region: "eu" } };
  await assert.rejects(client.createClient({ body: unfit }), problem(400, "invalid-input"));
  const jwk = { kty: "oct", k: "AAAA" };
  const secret = client.createClient({ body: { id: "other", key: { jwk } } });
  await assert.rejects(secret, problem(400, "invalid-input"));
  await client.createClient({ body: { id: "alpha" } });
  await client.createClient({ body: { id: "zeta" } });
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const page = (await client.listClients({ limit: 1, cursor })).value;
    ids.push(...page.clients.map((one) => one.id));
    cursor = page.next;
  } while (cursor !== undefined);
  assert.deepEqual(ids, ["alpha", "declared-job", "zeta"]);
});
