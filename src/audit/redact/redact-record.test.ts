import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openLog, permit, readRecords, temporaryFolder } from "../../../test/audit-kit.ts";
import type { DecisionRecord } from "../../model/records.ts";
import { ManualClock } from "../../platform/clock.ts";
import { auditSchema } from "../audit-options.ts";
import type { RecordedDecision } from "../record-schema.ts";
import { PersonKeys } from "./person-keys.ts";
import { isPseudonym, personPseudonym, pseudonym } from "./pseudonym.ts";
import { REDACTABLE } from "./redact-options.ts";

/** Each stands in one member, and must stand nowhere. */
const CANARIES = {
  subject: "alice.canary@example.com",
  other: "bob.canary",
  attribute: "attribute-canary",
  group: "group-canary",
  address: "203.0.113.77",
  peer: "203.0.113.78",
  param: "param-canary",
  query: "query-canary",
  host: "host-canary.example.com",
  request: "request-canary",
  detail: "detail-canary",
  actor: "actor-canary",
  behind: "behind-canary",
  device: "device-canary",
  workload: "workload-canary",
} as const;

/** Of the credential of `permit()`. */
const HASH = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

function canaryRecord(): DecisionRecord {
  const base = permit();
  const of = (subject: string): NonNullable<DecisionRecord["principal"]> => ({
    kind: "user",
    authenticator: "corp",
    subject,
    roles: ["Reader", `of-${CANARIES.subject}`],
    groups: [CANARIES.group],
    attributes: { email: CANARIES.attribute, level: 3, also: `see ${CANARIES.subject}` },
  });
  return {
    ...base,
    principal: of(CANARIES.subject),
    device: of(CANARIES.device),
    workload: of(CANARIES.workload),
    actor: {
      authenticator: "corp",
      subject: CANARIES.actor,
      behind: [CANARIES.behind],
      issuer: undefined,
      clientId: CANARIES.subject,
    },
    asked: { by: `mesh/${CANARIES.other}`, decisionId: "01Z" },
    issue: {
      as: "subject",
      binding: "none",
      client: CANARIES.subject,
      grant: "token-exchange",
      lifetimeSeconds: 60,
      narrowed: false,
      other: `corp/${CANARIES.other}`,
      questions: 1,
    },
    body: {
      values: { note: `from ${CANARIES.subject}` },
      clear: new Set(["note"]),
    },
    rpc: { protocol: "mcp", kind: "request", method: "tools/call", tool: CANARIES.param },
    clientAddress: CANARIES.address,
    peerAddress: CANARIES.peer,
    peerCertificate: {
      subject: `CN=${CANARIES.subject}`,
      issuer: "CN=root",
      serial: "1",
      notBefore: 0,
      notAfter: 1,
      thumbprint: "t",
      dnsNames: [],
      uris: [],
      emails: [],
      spiffeId: `spiffe://example.com/${CANARIES.workload}`,
    },
    host: CANARIES.host,
    params: { id: CANARIES.param },
    path: `/of/${encodeURIComponent(CANARIES.subject)}/${CANARIES.param}`,
    servicePath: `/in/${CANARIES.param}`,
    query: `page=${CANARIES.query}`,
    requestId: CANARIES.request,
    scopes: [`user:${CANARIES.subject}`],
    // Longer than a record takes: what is cut is hashed by another key otherwise.
    detail: `${CANARIES.detail} of ${CANARIES.subject.toUpperCase()} ${"x".repeat(2000)}`,
  };
}

function textOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((one) => {
      const path = join(one.parentPath, one.name);
      return one.isFile() ? `${path}\n${readFileSync(path, "latin1")}` : path;
    })
    .join("\n");
}

async function written(
  context: TestContext,
  redact: readonly string[],
  records: readonly DecisionRecord[],
) {
  const { log, folder } = await openLog(context, {
    redact: [...redact],
    query: { values: "kept" },
  });
  for (const record of records) assert.equal(log.decision(record), "recorded");
  log.event({
    timeMs: 0,
    event: "new-network",
    detail: `${CANARIES.subject} came from ${CANARIES.address}`,
    principal: `corp/${CANARIES.subject}`,
    address: CANARIES.address,
    figures: { who: CANARIES.subject },
  });
  await log.close();
  const entries = await readRecords(folder);
  return {
    folder,
    decisions: entries.filter((one): one is RecordedDecision => one.type === "decision"),
    event: entries.find((one) => one.type === "event"),
  };
}

test("with everything redacted, no value that was is in any file of the folder", async (context) => {
  const { folder, decisions } = await written(context, REDACTABLE, [
    canaryRecord(),
    canaryRecord(),
  ]);
  const text = textOf(folder).toLowerCase();
  for (const [name, canary] of Object.entries(CANARIES)) {
    assert.ok(!text.includes(canary.toLowerCase()), name);
    assert.ok(!text.includes(encodeURIComponent(canary).toLowerCase()), `${name}, encoded`);
  }
  const [first, second] = decisions;
  assert.deepEqual(first?.truncated, {});
  assert.ok(isPseudonym(first?.query ?? ""), "a query can still be joined");
  assert.deepEqual(first, second);
  assert.ok(first?.redacted.includes("peerCertificate.subject"));
});

test("each name takes out its own value wherever it stands, and leaves all else", async (context) => {
  const { decisions, event } = await written(context, ["principal.subject"], [canaryRecord()]);
  const [record] = decisions;
  assert.equal(record?.clientAddress, CANARIES.address);
  assert.equal(record?.requestId, CANARIES.request);
  assert.equal(record?.actor?.subject, CANARIES.actor);
  assert.deepEqual(record?.redacted, [
    "actor.clientId",
    "asked.by",
    "body.note",
    "credentials",
    "detail",
    "device.attributes.also",
    "device.roles",
    "issue.client",
    "issue.other",
    "path",
    "peerCertificate.serial",
    "peerCertificate.spiffeId",
    "peerCertificate.subject",
    "peerCertificate.thumbprint",
    "principal.attributes.also",
    "principal.roles",
    "principal.subject",
    "scopes",
    "workload.attributes.also",
    "workload.roles",
  ]);
  assert.match(record?.asked?.by ?? "", /^mesh\/hmac:/);
  assert.ok(event?.type === "event");
  assert.equal(event.principal, `corp/${record?.principal?.subject}`);
  assert.equal(event.detail, `${record?.principal?.subject} came from ${CANARIES.address}`);
});

/** Their keyed hashes stand by keys of their own. */
const OTHERS: ReadonlySet<string> = new Set(["asked", "issue", "actor", "device", "workload"]);

/** Keyed hashes of what is the caller's own. */
function ofTheirs(record: RecordedDecision): ReadonlySet<string> {
  const own = Object.entries(record).filter(([name]) => !OTHERS.has(name));
  return new Set(JSON.stringify(own).match(/hmac:[\w-]{43}/g));
}

test("after an erasure no keyed value of the old records is one of the new, nor a credential's", async (context) => {
  const clock = new ManualClock(0);
  const { log, folder } = await openLog(context, { redact: [...REDACTABLE] }, { clock });
  const person = { authenticator: "corp", subject: CANARIES.subject };
  const record = canaryRecord();
  // What policies read is hashed by `values.key`, and by nobody's own.
  const certificate = { ...record.peerCertificate, thumbprint: HASH, serial: "0badcafe" };
  const asked = { ...record, reads: [], peerCertificate: certificate } as DecisionRecord;
  assert.equal(log.decision(asked), "recorded");
  assert.equal(log.decision(asked), "recorded");
  const keys = new PersonKeys(folder, readFileSync(join(folder, "values.key")), clock);
  assert.equal(keys.erase(person), true);
  clock.advance(1000);
  assert.equal(log.decision(asked), "recorded");
  await log.close();
  const [first, second, later] = (await readRecords(folder)).filter(
    (one): one is RecordedDecision => one.type === "decision",
  );
  assert.ok(first !== undefined && later !== undefined);
  assert.deepEqual(first, second, "by one key all of it can be joined");
  const [credential] = first.credentials;
  assert.ok(isPseudonym(credential?.hash ?? ""));
  assert.equal(first.peerCertificate?.thumbprint, credential?.hash);
  const old = ofTheirs(first);
  assert.ok(old.size > 10, `${old.size} values`);
  const common = [...ofTheirs(later)].filter((value) => old.has(value));
  assert.deepEqual(common, []);
  assert.ok(!JSON.stringify([first, later]).includes(HASH));
  assert.ok(!JSON.stringify([first, later]).includes("0badcafe"));
});

test("the hash of a credential stays as it is where nobody's subject is redacted", async (context) => {
  const { decisions } = await written(context, ["clientAddress", "path"], [canaryRecord()]);
  assert.equal(decisions[0]?.credentials[0]?.hash, HASH);
});

test("a param takes the path with it, and a path its params", async (context) => {
  const short = permit({ params: { id: "7" }, path: "/of/7", servicePath: "/in/7" });
  const byParam = await written(context, ["params.id"], [short]);
  assert.deepEqual(byParam.decisions[0]?.redacted, ["params.id", "path", "servicePath"]);
  const byPath = await written(context, ["path"], [short]);
  assert.deepEqual(byPath.decisions[0]?.redacted, ["params.id", "path", "servicePath"]);
});

test("a person's values can be joined until the key is thrown away, by all processes", async (context) => {
  const folder = await temporaryFolder(context);
  const clock = new ManualClock(0);
  const values = new Uint8Array(32);
  const [one, other] = [1, 2].map(() => new PersonKeys(folder, values, clock));
  assert.ok(one !== undefined && other !== undefined);
  const [alice, bob] = ["alice", "bob"].map((subject) => ({ authenticator: "corp", subject }));
  assert.ok(alice !== undefined && bob !== undefined);
  assert.equal(other.find(alice), undefined);
  const key = one.keyOf(alice);
  assert.deepEqual(other.keyOf(alice), key);
  const bobs = one.keyOf(bob);
  assert.notDeepEqual(bobs, key);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const file of files.filter((found) => found.isFile())) {
    assert.equal(statSync(join(file.parentPath, file.name)).mode & 0o777, 0o600);
    assert.ok(!file.name.includes("alice"));
  }
  const before = other.generation();
  assert.equal(one.erase(alice), true);
  assert.equal(one.erase(alice), false);
  // The other one looks once a second.
  clock.advance(1000);
  assert.notEqual(other.generation(), before);
  assert.notDeepEqual(other.keyOf(alice), key);
  assert.deepEqual(other.keyOf(bob), bobs);
  assert.match(personPseudonym(key, alice), /^corp\/hmac:[\w-]{43}$/);
  assert.notEqual(pseudonym(key, "text", "a"), pseudonym(key, "address", "a"));
});

test("a key that others can read is refused, and so is the record that wants it", async (context) => {
  const { log, folder } = await openLog(context, { redact: ["principal.subject"] });
  assert.equal(log.decision(permit()), "recorded");
  const people = join(folder, "people");
  const [shard = ""] = readdirSync(people);
  const [name = ""] = readdirSync(join(people, shard));
  chmodSync(join(people, shard, name), 0o644);
  const keys = new PersonKeys(folder, readFileSync(join(folder, "values.key")), new ManualClock(0));
  const person = { authenticator: "corp", subject: "payments" };
  assert.throws(() => keys.keyOf(person), /can be read by others; chmod it to 0600/);
  // A torn one, which a crash of the machine can leave, is made anew.
  chmodSync(join(people, shard, name), 0o600);
  writeFileSync(join(people, shard, name), "");
  assert.equal(keys.keyOf(person).length, 32);
});

test("a permit whose key cannot be had is refused", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "people"), "a file where a folder has to be");
  const { log } = await openLog(context, { redact: ["principal.subject"] }, { folder });
  assert.equal(log.decision(permit()), "refused");
});

test("audit.redact refuses names that are none, with those that there are", () => {
  const parse = (name: string) => auditSchema.safeParse({ path: "x", redact: [name] });
  for (const name of [...REDACTABLE, "params.id", "principal.attributes.e-mail"]) {
    assert.ok(parse(name).success, name);
  }
  for (const name of ["subject", "principal", "reason", "params.", "params.a b", "detail.x", ""]) {
    const { success, error } = parse(name);
    assert.equal(success, false, name);
    assert.match(error?.issues[0]?.message ?? "", /^one of actor\.subject, clientAddress, /);
  }
});
