import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, readdir, readFile, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  createFixtureCa,
  FixtureAuthority,
  FixtureServer,
  invitation,
  newKey,
  peerOf,
  TemporaryFolder,
} from "../../../test/authority/enrolment-ground.ts";
import { PlainServer } from "../../../test/authority/plain-server.ts";
import type { WorkloadKind } from "../../model/workloads.ts";
import { endorseRoots } from "../feed/root-endorsement.ts";
import { readJoinToken, writeJoinToken } from "./enrolment-token.ts";
import { enrolMachine } from "./machine-enrolment.ts";
import { type MachineIdentity, openMachineIdentity, openMachineKey } from "./machine-identity.ts";
import { type IdentityFiles, systemIdentityFiles } from "./machine-identity-files.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FAILED = { code: "enrolment-failed" };

test("a machine enrols, and renews with a key that never leaves it", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  assert.equal((await ground.authority.register.get("edge-1"))?.state, "enrolled");
  const identity = await ground.open();
  assert.equal(identity.id, "spiffe://sallyport.example.com/sallyport/proxy/edge-1");
  const { keyPem, certificatePem } = identity;
  let changes = 0;
  identity.changed(() => (changes += 1));
  ground.authority.clock.advance(12 * HOUR);
  await identity.renew();
  assert.equal(changes, 1);
  assert.notEqual(identity.keyPem, keyPem);
  assert.notEqual(identity.certificatePem, certificatePem);
  assert.equal(identity.notAfterMs, ground.authority.clock.now() + 24 * HOUR);
  const sent = ground.server.requests.map(({ body }) => body).join("\n");
  for (const pem of [keyPem, identity.keyPem]) assert.ok(!sent.includes(pem.split("\n")[1] ?? ""));
  // The key before is of use to nobody but a thief.
  const left = await textsBelow(ground.folder);
  assert.ok(!left.includes(keyPem) && left.includes(identity.keyPem));
  await onlyOwner(ground.folder);
});

test("the token goes to nobody but an authority that it names: a server of another CA gets nothing", async () => {
  await using ground = await Ground.start();
  const other = createFixtureCa(ground.authority.clock);
  await using thief = await new FixtureServer(ground.authority, other).start();
  const { token } = await ground.authority.invite("edge-1");
  // Its own roots: no pin fits.
  thief.rootsText = other.rootPem;
  await assert.rejects(ground.enrolAt(thief, token), {
    ...FAILED,
    message: /another certificate authority/,
  });
  // The true roots, which everybody can have: its own certificate is not by them.
  thief.rootsText = ground.authority.ca.rootPem;
  await assert.rejects(ground.enrolAt(thief, token), { ...FAILED, message: /not by an authority/ });
  // The true root among its own.
  thief.rootsText = other.rootPem + ground.authority.ca.rootPem;
  await assert.rejects(ground.enrolAt(thief, token), { ...FAILED, message: /not by an authority/ });
  thief.rootsText = "no PEM";
  await assert.rejects(ground.enrolAt(thief, token), FAILED);
  assert.deepEqual(
    thief.requests.map(({ line, body }) => [line, body]),
    Array.from({ length: 4 }, () => ["GET /roots", ""]),
  );
  await ground.enrolAt(ground.server, token);
});

test("a server under another name than the one that was dialled gets nothing", async () => {
  await using ground = await Ground.start();
  const { token } = await ground.authority.invite("edge-1");
  const { ca } = ground.authority;
  const elsewhere = { ...ca, server: () => ca.server(["elsewhere.internal"]) };
  await using server = await new FixtureServer(ground.authority, elsewhere).start();
  await assert.rejects(ground.enrolAt(server, token), { ...FAILED, message: /another name/ });
  assert.deepEqual(
    server.requests.map(({ line }) => line),
    ["GET /roots"],
  );
});

test("a machine that is called as the authority is called gets nothing either, though our own CA vouches for it", async () => {
  await using ground = await Ground.start();
  const { token } = await ground.authority.invite("edge-1");
  const { ca } = ground.authority;
  for (const uris of [
    ["spiffe://sallyport.example.com/sallyport/proxy/localhost"],
    ["spiffe://sallyport.example.com/sallyport/proxy/localhost", "x:y"],
  ]) {
    const relay = { ...ca, server: () => ca.server(["localhost"], uris) };
    await using server = await new FixtureServer(ground.authority, relay).start();
    await assert.rejects(ground.enrolAt(server, token), { ...FAILED, message: /no authority/ });
    assert.deepEqual(
      server.requests.map(({ line }) => line),
      ["GET /roots"],
    );
  }
});

test("enrolMachine() says what to do for each way in which it can fail", async () => {
  await using ground = await Ground.start();
  const { authority, server, folder } = ground;
  const { token } = await authority.invite("edge-1");
  const enrol = (given: Partial<Parameters<typeof enrolMachine>[0]>) =>
    enrolMachine({ token, folder, authorities: [server.url], ...given }, authority);
  const says = async (work: Promise<unknown>, message: RegExp): Promise<void> => {
    await assert.rejects(work, { ...FAILED, message });
  };
  await says(enrol({ token: token.slice(0, -1) }), /characters of it are missing.*re-enrol/);
  await says(enrol({ authorities: [] }), /--authority/);
  await says(enrol({ authorities: ["http://localhost:1"] }), /https:\/\/host:port/);
  const gone = await closedPort();
  await says(enrol({ authorities: [`https://localhost:${gone}`] }), /ECONNREFUSED.*running/);
  const both = [`https://localhost:${gone}`, `https://127.0.0.1:${gone}`];
  await says(enrol({ authorities: both }), /localhost.*ECONNREFUSED.*127\.0\.0\.1.*ECONNREFUSED/);
  await using plain = new PlainServer();
  await says(
    enrol({ authorities: [await plain.url()] }),
    /does not speak TLS; is it authority\.serve/,
  );
  const expect = { kind: "workload", method: "mtls" } as const;
  await says(enrol({ expect }), /proxy with mtls.*--kind workload/);
  const late = enrolMachine(
    { token, folder, authorities: [server.url] },
    { clock: { now: () => authority.clock.now() + 6 * MINUTE, monotonic: () => 0 } },
  );
  await says(late, /360 s ahead of/);
  await authority.register.disable("edge-1", { by: "ops" });
  await says(enrol({}), /workloads show edge-1/);
  assert.deepEqual((await readdir(folder)).toSorted(), ["pending.pem"]);
});

test("enrolMachine() refuses a folder of another machine, and takes it with replace", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const { token } = await ground.authority.invite("edge-2");
  const options = { token, folder: ground.folder, authorities: [ground.server.url] };
  await assert.rejects(enrolMachine(options, ground.authority), {
    ...FAILED,
    message: /identity of edge-1/,
  });
  const replaced = await enrolMachine({ ...options, replace: true }, ground.authority);
  assert.equal(replaced.name, "edge-2");
});

test("enrolMachine() goes by the token's own address, and to the next of several that do not answer", async () => {
  await using ground = await Ground.start();
  const invited = readJoinToken((await ground.authority.invite("edge-1")).token);
  const token = writeJoinToken({ ...invited, authority: ground.server.url });
  const gone = `https://localhost:${await closedPort()}`;
  await enrolMachine({ token, folder: ground.folder, authorities: [] }, ground.authority);
  const again = invitation(await ground.authority.register.reenrol("edge-1", { by: "ops" }));
  const hints: string[] = [];
  const untried = `https://localhost:${await closedPort()}`;
  await enrolMachine(
    { token: again.token, folder: ground.folder, authorities: [gone, ground.server.url, untried] },
    { clock: ground.authority.clock, hint: (line) => hints.push(line) },
  );
  assert.equal(hints.length, 2);
  assert.match(hints[0] ?? "", new RegExp(`^${gone}: .*ECONNREFUSED.*not kept`));
  assert.equal(hints[1], `${ground.server.url} answered`);
  const identity = await ground.open();
  assert.deepEqual(identity.authorities, [ground.server.url, untried]);
  await identity.renew();
});

test("openMachineIdentity() refuses folders and keys that others can reach", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const key = join(ground.folder, "current", "key.pem");
  await chmod(key, 0o640);
  await assert.rejects(ground.open(), { ...FAILED, message: /key\.pem.*0640.*chmod 0600/ });
  await chmod(key, 0o600);
  await chmod(ground.folder, 0o711);
  await assert.rejects(ground.open(), { ...FAILED, message: /0711.*chmod 0700/ });
  await chmod(ground.folder, 0o700);
  await ground.open();
});

test("openMachineIdentity() refuses what is no identity, and says how to have one", async () => {
  await using ground = await Ground.start();
  await assert.rejects(ground.open(), { ...FAILED, message: /does not exist.*workloads enrol/ });
  await ground.enrol();
  const at = (name: string): string => join(ground.folder, "current", name);
  const texts = new Map<string, string>();
  for (const name of ["identity.json", "certificate.pem", "key.pem", "roots.pem"]) {
    texts.set(name, await readFile(at(name), "utf8"));
    for (const text of [
      "",
      "{}",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ]) {
      await writeFile(at(name), text);
      await assert.rejects(ground.open(), (error: Error & { code?: string }) =>
        ["enrolment-failed", "certificate-invalid"].includes(error.code ?? ""),
      );
    }
    await writeFile(at(name), texts.get(name) ?? "");
    await ground.open();
  }
  // A certificate of another key.
  const [other] = texts.get("roots.pem")?.split("\n\n") ?? [];
  await writeFile(at("certificate.pem"), other ?? "");
  await assert.rejects(ground.open(), { ...FAILED, message: /not the certificate of key\.pem/ });
  await unlink(join(ground.folder, "current"));
  await symlink("/etc", join(ground.folder, "current"));
  await assert.rejects(ground.open(), { ...FAILED, message: /does not point at an identity/ });
});

test("openMachineIdentity() of an expired identity says so and how to enrol anew; it cannot renew", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  ground.authority.clock.advance(25 * HOUR);
  const message =
    /edge-1.*expired 60 min ago.*workloads re-enrol edge-1.*sallyport enrol --identity/;
  await assert.rejects(ground.open(), { ...FAILED, message });
  const asked = ground.server.requests.length;
  await assert.rejects(identity.renew(), { ...FAILED, message });
  assert.equal(ground.server.requests.length, asked);
  ground.authority.clock.advance(-50 * HOUR);
  await assert.rejects(ground.open(), { ...FAILED, message: /clock right/ });
});

test("openMachineIdentity() refuses an identity of private-key-jwt, openMachineKey() one of mtls", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  await assert.rejects(openMachineKey(ground.folder, ground.deps), {
    ...FAILED,
    message: /mtls|private-key-jwt/,
  });
  await using key = await Ground.start();
  await key.enrol("workload", "private-key-jwt");
  await assert.rejects(key.open(), { ...FAILED, message: /--method mtls/ });
});

test("openMachineKey() signs as whom it was registered, and rotates its key", async () => {
  await using ground = await Ground.start();
  await ground.enrol("workload", "private-key-jwt");
  const machine = await openMachineKey(ground.folder, ground.deps);
  assert.equal(machine.clientId, "edge-1");
  const before = machine.kid;
  ground.authority.clock.advance(15 * 24 * HOUR);
  await machine.renew();
  assert.notEqual(machine.kid, before);
  const registered = await ground.authority.register.get("edge-1");
  assert.equal(registered?.key?.thumbprint, machine.kid);
  assert.equal(machine.notAfterMs, ground.authority.clock.now() + 30 * 24 * HOUR);
});

test("start() renews at half of its life, and looks at the clock every minute", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  const { timers, clock } = ground.authority;
  identity.start();
  await until(() => timers.delays.length > 0);
  const { notAfterMs } = identity;
  // As if the machine had slept: one look after it wakes up.
  for (const [hours, renewed] of [
    [11, false],
    [2, true],
  ] as const) {
    clock.advance(hours * HOUR);
    assert.ok((timers.delays[0] ?? 0) <= MINUTE);
    timers.runAll();
    await until(() => timers.delays.length > 0);
    assert.equal(identity.notAfterMs > notAfterMs, renewed);
  }
  identity.close();
  assert.deepEqual(timers.delays, []);
});

test("start() goes on trying while the authority is away, less and less often, and says how long is left", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  const { timers, clock, log, store } = ground.authority;
  identity.start();
  await until(() => timers.delays.length > 0);
  store.away = true;
  clock.advance(13 * HOUR);
  const waits: number[] = [];
  const look = async (): Promise<void> => {
    timers.runAll();
    await until(() => timers.delays.length > 0);
  };
  for (let last = 0; waits.length < 6;) {
    await look();
    const asked = ground.server.requests.length;
    if (asked > last) waits.push(clock.now());
    last = asked;
    clock.advance(timers.delays[0] ?? 0);
  }
  const gaps = waits.slice(1).map((at, index) => at - (waits[index] ?? 0));
  assert.ok(
    gaps.every((gap, index) => index === 0 || gap > (gaps[index - 1] ?? 0)),
    gaps.join(" "),
  );
  assert.match(log.lines.join("\n"), /warn identity: could not be renewed.*"leftSeconds":3\d{4}/);
  store.away = false;
  clock.advance(HOUR);
  await look();
  assert.ok(identity.notAfterMs > clock.now() + 24 * HOUR - 1000);
  store.away = true;
  clock.advance(25 * HOUR);
  await look();
  assert.match(log.lines.join("\n"), /error identity: it has expired/);
  identity.close();
});

test("start() takes up what another process enrolled anew, expired or not", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  const { timers, clock, register } = ground.authority;
  identity.start();
  await until(() => timers.delays.length > 0);
  clock.advance(30 * HOUR);
  timers.runAll();
  await until(() => timers.delays.length > 0);
  let changes = 0;
  identity.changed(() => (changes += 1));
  const { token } = invitation(await register.reenrol("edge-1", { by: "ops" }));
  await ground.enrolAt(ground.server, token);
  timers.runAll();
  await until(() => changes > 0);
  assert.equal(identity.notAfterMs, clock.now() + 24 * HOUR);
  await identity.renew();
  identity.close();
});

test("renew() asks the next authority where one is away or is none, and stops at a no", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  await using relay = await new FixtureServer(ground.authority).start();
  relay.refuse = true;
  const gone = `https://localhost:${await closedPort()}`;
  // Enrolled where nobody answers any more, and with a relay in its configuration.
  await moveTo(ground, gone);
  const authorities = [relay.url, ground.server.url];
  const identity = await openMachineIdentity(ground.folder, { ...ground.deps, authorities });
  assert.deepEqual(identity.authorities, [gone, ...authorities]);
  await identity.renew();
  assert.equal(relay.requests.length, 1);
  await ground.authority.register.disable("edge-1", { by: "ops" });
  await using last = await new FixtureServer(ground.authority).start();
  await moveTo(ground, ground.server.url);
  const other = await openMachineIdentity(ground.folder, {
    ...ground.deps,
    authorities: [last.url],
  });
  await assert.rejects(other.renew(), { ...FAILED, message: /workloads enable edge-1/ });
  assert.equal(last.requests.length, 0);
});

test("adoptRoots() trusts further authorities from then on, and refuses to lock itself out", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  const { ca, clock } = ground.authority;
  const next = createFixtureCa(clock, "next");
  let changes = 0;
  identity.changed(() => (changes += 1));
  for (const pems of [
    [],
    [next.rootPem],
    ["no PEM"],
    [ca.rootPem + next.rootPem],
    [identity.certificatePem],
  ]) {
    await assert.rejects(identity.adoptRoots(pems), FAILED);
  }
  assert.equal(changes, 0);
  await identity.adoptRoots([ca.rootPem]);
  assert.equal(changes, 0, "nothing new");
  await identity.adoptRoots([ca.rootPem, next.rootPem]);
  assert.equal(changes, 1);
  assert.deepEqual(identity.roots, [ca.rootPem, next.rootPem]);
  assert.deepEqual((await ground.open()).roots, identity.roots);
  // An authority whose certificate is by the new one.
  await using moved = await new FixtureServer(ground.authority, next).start();
  const there = await openMachineIdentity(ground.folder, {
    ...ground.deps,
    authorities: [moved.url],
  });
  await there.renew();
});

test("renew() takes a further root that a known one vouches for, and no other", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const { ca, clock } = ground.authority;
  const identity = await ground.open();
  const next = createFixtureCa(clock, "next");
  const [roots, endorsed] = [[ca.rootPem, next.rootPem], { ...ca, roots: () => roots }];
  // As it is when the server's key is in other hands, and the CA's is not.
  ground.server.answer = (body) => ({ ...body, roots });
  await identity.renew();
  assert.deepEqual(identity.roots, [ca.rootPem]);
  ground.server.answer = (body) => ({ ...body, roots, endorsements: endorseRoots(endorsed) });
  await identity.renew();
  assert.deepEqual(identity.roots, roots);
  const other = createFixtureCa(clock, "other");
  const forged = endorseRoots({ ...other, roots: () => [other.rootPem, next.rootPem] });
  const all = [...roots, other.rootPem];
  ground.server.answer = (body) => ({ ...body, roots: all, endorsements: forged });
  await identity.renew();
  assert.deepEqual(identity.roots, roots);
  ground.server.answer = (body) => ({ ...body, roots: [other.rootPem], endorsements: forged });
  await assert.rejects(identity.renew(), { ...FAILED, message: /certificate is not good/ });
  assert.deepEqual(identity.roots, roots);
});

test("an answer that is not for this machine, key or authority is refused, and nothing changes", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const { authority, server } = ground;
  const identity = await ground.open();
  const { certificatePem, keyPem } = identity;
  const foreign = async (uris: readonly string[], key = newKey()): Promise<string> =>
    authority.ca.issue({
      publicKey: key.verification.keyObject,
      commonName: "edge-1",
      uris,
      dnsNames: [],
      ipAddresses: [],
      usages: ["client"],
      lifetimeMs: HOUR,
    }).pem;
  const anotherKey = await foreign([identity.id]);
  const changes: readonly Record<string, unknown>[] = [
    { name: "edge-2" },
    { kind: "robot" },
    { method: "password" },
    { issuer: "https://other.example.com" },
    { notAfterMs: "soon" },
    { certificate: undefined },
    { certificate: "no PEM" },
    { certificate: certificatePem },
    { certificate: anotherKey },
    { roots: [] },
    { roots: [certificatePem] },
    { roots: "none" },
    { kind: "workload" },
    { method: "private-key-jwt" },
    { method: "private-key-jwt", clientId: "edge-1", kid: "another" },
  ];
  for (const change of changes) {
    server.answer = (body) => ({ ...body, ...change });
    await assert.rejects(identity.renew(), FAILED, JSON.stringify(change));
    assert.equal(identity.keyPem, keyPem);
  }
  server.answer = undefined;
  await identity.renew();
});

test("adoptRoots() and renew() at once both count", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const identity = await ground.open();
  const { ca, clock } = ground.authority;
  const next = createFixtureCa(clock, "next");
  const before = identity.keyPem;
  await Promise.all([
    identity.renew(),
    identity.adoptRoots([ca.rootPem, next.rootPem]),
    identity.renew(),
  ]);
  assert.ok(identity.roots.length >= 1);
  assert.notEqual(identity.keyPem, before);
  const stored = await ground.open();
  assert.equal(stored.keyPem, identity.keyPem);
  assert.deepEqual(stored.roots, identity.roots);
});

// A crash is every file operation after a point failing: what is on disk then is what a restart finds.

for (const cut of [false, true]) {
  const when = cut ? "and the answer is lost" : "";
  test(`a crash at any step of an enrolment ${when} leaves nothing broken, and trying again enrols`, async () => {
    for (let step = 0; ; step++) {
      await using ground = await Ground.start();
      const { token } = await ground.authority.invite("edge-1");
      if (cut) ground.server.cut = (line) => line === "POST /enrol";
      const files = failingFrom(step);
      const outcome = await ground.enrolAt(ground.server, token, files).then(
        () => "enrolled",
        (error: { code?: string }) => error.code,
      );
      ground.server.cut = () => false;
      if (outcome !== "enrolled") {
        assert.equal(outcome, "enrolment-failed");
        // Either there is a whole identity, or none.
        const there = await ground.open().catch((error: { code?: string }) => error.code);
        if (typeof there === "string") {
          assert.equal(there, "enrolment-failed");
          await ground.enrolAt(ground.server, token);
        } else {
          const message = /good until .*, and it stays/;
          await assert.rejects(ground.enrolAt(ground.server, token), { ...FAILED, message });
        }
      }
      const identity = await ground.open();
      await identity.renew();
      await onlyOwner(ground.folder);
      await onlyKeyOf(ground.folder, identity);
      if (!files.failed && !cut) break;
      if (cut && step >= 4) break;
    }
  });

  test(`a crash at any step of a renewal ${when} leaves the old or the new identity, which works`, async () => {
    for (let step = 0; ; step++) {
      await using ground = await Ground.start();
      await ground.enrol();
      const { clock, log } = ground.authority;
      clock.advance(12 * HOUR);
      const files = failingFrom(step);
      const crashed = await openMachineIdentity(ground.folder, { ...ground.deps, files }).catch(
        () => undefined,
      );
      if (cut) ground.server.cut = (line) => line === "POST /renew";
      await crashed?.renew().catch(() => undefined);
      ground.server.cut = () => false;
      const identity = await ground.open();
      const { pem } = await admitted(ground, identity);
      assert.ok(pem, `let in after step ${step}`);
      await identity.renew();
      assert.equal(identity.notAfterMs, clock.now() + 24 * HOUR);
      assert.ok(!log.lines.some((line) => line.includes("two hands")), `step ${step}`);
      await onlyKeyOf(ground.folder, identity);
      if (!files.failed && !cut) break;
      if (cut && step >= 8) break;
    }
  });
}

test("a renewal whose answer was lost is repeated at the next start(), with the same key", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const { clock, timers, register } = ground.authority;
  clock.advance(HOUR);
  const identity = await ground.open();
  ground.server.cut = (line) => line === "POST /renew";
  await assert.rejects(identity.renew(), FAILED);
  identity.close();
  ground.server.cut = () => false;
  const registered = (await register.get("edge-1"))?.key?.thumbprint;
  const next = await ground.open();
  next.start();
  await until(() => timers.delays.length > 0);
  assert.deepEqual(timers.delays, [0]);
  timers.runAll();
  await until(() => timers.delays.length > 0);
  assert.equal((await register.get("edge-1"))?.key?.thumbprint, registered);
  assert.ok((await admitted(ground, next)).pem);
  next.close();
});

test("what crashes left is cleared away after an hour, and nothing else is", async () => {
  await using ground = await Ground.start();
  await ground.enrol();
  const orphan = join(ground.folder, "g-abc-0123abcd");
  await systemIdentityFiles.makeFolder(orphan);
  await writeFile(join(ground.folder, "feed-state"), "of the follower");
  const identity = await ground.open();
  await identity.renew();
  // Ages are by the file system's clock; this one is long past it.
  ground.authority.clock.advance(Date.now() + 2 * HOUR - ground.authority.clock.now());
  await ground.reenrol();
  const names = await readdir(ground.folder);
  assert.ok(!names.includes("g-abc-0123abcd"));
  assert.ok(names.includes("feed-state"));
  assert.equal(names.filter((name) => name.startsWith("g-")).length, 1);
});

test("no key and no token is in errors or the log, whatever fails", async () => {
  await using ground = await Ground.start();
  const { token } = await ground.authority.invite("edge-1");
  const told: string[] = [];
  const tell = (error: unknown): void => {
    for (let one = error; one instanceof Error; one = one.cause) told.push(String(one.stack));
  };
  for (let step = 0; step < 20; step++) {
    await ground.enrolAt(ground.server, token, failingFrom(step)).catch(tell);
  }
  await ground.enrolAt(ground.server, token).catch(tell);
  const identity = await ground.open();
  const keys = [identity.keyPem];
  ground.authority.store.away = true;
  await identity.renew().catch(tell);
  const key = join(ground.folder, "current", "key.pem");
  await writeFile(key, identity.keyPem.slice(0, 120));
  await ground.open().catch(tell);
  await writeFile(key, identity.keyPem.replace("BEGIN", "BEGUN"));
  await ground.open().catch(tell);
  assert.ok(told.length >= 5);
  const text = [...told, ...ground.authority.log.lines].join("\n");
  const secret = readJoinToken(token).secret;
  for (const canary of [token, secret, ...keys.flatMap((pem) => pem.split("\n").slice(1, -2))]) {
    assert.ok(!text.includes(canary));
  }
});

class Ground {
  readonly authority = new FixtureAuthority();
  readonly server: FixtureServer;
  readonly #temporary: TemporaryFolder;

  private constructor(server: FixtureServer, folder: TemporaryFolder, authority: FixtureAuthority) {
    this.server = server;
    this.#temporary = folder;
    this.authority = authority;
  }

  static async start(): Promise<Ground> {
    const authority = new FixtureAuthority();
    const server = await new FixtureServer(authority).start();
    return new Ground(server, await TemporaryFolder.make(), authority);
  }

  get folder(): string {
    return this.#temporary.at("identity");
  }

  get deps() {
    const { clock, timers, log, metrics } = this.authority;
    return { clock, timers, log, metrics, random: () => 0.5 };
  }

  open(): Promise<MachineIdentity> {
    return openMachineIdentity(this.folder, this.deps);
  }

  async enrol(
    kind: WorkloadKind = "proxy",
    method: "mtls" | "private-key-jwt" = "mtls",
  ): Promise<void> {
    const { register } = this.authority;
    const { token } = invitation(await register.enrol("edge-1", { kind, method, by: "ops" }));
    await this.enrolAt(this.server, token);
  }

  async reenrol(): Promise<void> {
    const { register } = this.authority;
    const { token } = invitation(await register.reenrol("edge-1", { by: "ops" }));
    await this.enrolAt(this.server, token);
  }

  async enrolAt(server: FixtureServer, token: string, files?: IdentityFiles): Promise<void> {
    const { clock } = this.authority;
    const options = { token, folder: this.folder, authorities: [server.url] };
    await enrolMachine(options, { clock, files });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.#temporary[Symbol.asyncDispose]();
  }
}

/** As if it had been enrolled there. */
async function moveTo({ folder }: Ground, authority: string): Promise<void> {
  const path = join(folder, "current", "identity.json");
  const document = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...document, authorities: [authority] }));
}

/** Operations that change something fail from this one on, as after the process has died. */
function failingFrom(step: number): IdentityFiles & { readonly failed: boolean } {
  let count = 0;
  let failed = false;
  const dying =
    (work: (first: string, second: string) => Promise<void>) =>
    (first: string, second = ""): Promise<void> => {
      if (count++ < step) return work(first, second);
      failed = true;
      return Promise.reject(Object.assign(new Error("the process is dead"), { code: "EIO" }));
    };
  const files = systemIdentityFiles;
  return {
    ...files,
    write: dying((path, text) => files.write(path, text)),
    makeFolder: dying((path) => files.makeFolder(path)),
    ensureFolder: dying((path) => files.ensureFolder(path)),
    link: dying((target, path) => files.link(target, path)),
    rename: dying((from, to) => files.rename(from, to)),
    remove: dying((path) => files.remove(path)),
    sync: dying((folder) => files.sync(folder)),
    get failed() {
      return failed;
    },
  };
}

/** Whether the authority would let it in now. */
async function admitted(
  { authority }: Ground,
  identity: MachineIdentity,
): Promise<{ readonly pem: boolean }> {
  const { certificate } = peerOf(identity.certificatePem, authority.ca, authority.clock);
  assert.ok(certificate);
  const { refused } = await authority.admission.admit(certificate);
  return { pem: refused === undefined };
}

async function onlyOwner(folder: string): Promise<void> {
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const { mode } = await stat(join(entry.parentPath, entry.name));
    assert.equal(mode & 0o077, 0, entry.name);
  }
}

/** Nothing that is pending, and of generations nothing but drafts that have no identity. */
async function onlyKeyOf(folder: string, identity: MachineIdentity): Promise<void> {
  const names = await readdir(folder);
  assert.ok(!names.includes("pending.pem"), names.join(" "));
  const current = await readFile(join(folder, "current", "key.pem"), "utf8");
  assert.equal(current, identity.keyPem);
}

async function textsBelow(folder: string): Promise<string> {
  const texts: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(await readFile(join(entry.parentPath, entry.name), "utf8"));
  }
  return texts.join("\n");
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
