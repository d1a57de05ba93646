import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { SallyportError } from "../model/errors.ts";
import type { CredentialFacts } from "../model/facts.ts";
import {
  NEVER,
  type RevocationEntry,
  type RevocationKind,
  type RevocationTarget,
} from "../model/revocation.ts";
import type { Clock } from "../model/ports.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { revocationDigest } from "./revocation-digest.ts";
import { createRevocationList } from "./revocation-list.ts";

const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1000;
const MAX_STALENESS = 10_000;

const ID: RevocationTarget = { kind: "id", authenticator: "corp", id: "t-1" };
const SUBJECT: RevocationTarget = { kind: "subject", authenticator: "corp", subject: "ann" };
const AUTHENTICATOR: RevocationTarget = { kind: "authenticator", authenticator: "corp" };
const SERVICE: RevocationTarget = { kind: "service", service: "billing" };

for (const target of [ID, SUBJECT, AUTHENTICATOR, SERVICE]) {
  const { kind } = target;
  test(`revokedBy() by ${kind} compares iat with the cut-off and the skew; no iat is revoked`, () => {
    const { list } = fixture();
    list.apply([revoke(target, NOW)], [], { reset: false });
    const by = (issuedAt: number | undefined) =>
      list.revokedBy(facts({ issuedAt, clockSkew: 30 }), "billing");
    assert.equal(by(undefined), kind);
    assert.equal(by(SECONDS - 1000), kind);
    assert.equal(by(SECONDS), kind);
    assert.equal(by(SECONDS + 30), kind);
    assert.equal(by(SECONDS + 31), undefined);
    assert.equal(list.blocksService("billing"), false);
  });
}

test("revokedBy() counts the whole second of the cut-off as before it", () => {
  const { list } = fixture();
  list.apply([revoke(SUBJECT, NOW + 1)], [], { reset: false });
  assert.equal(list.revokedBy(facts({ issuedAt: SECONDS + 1 }), undefined), "subject");
  assert.equal(list.revokedBy(facts({ issuedAt: SECONDS + 2 }), undefined), undefined);
});

for (const target of [ID, SUBJECT, AUTHENTICATOR]) {
  const { kind } = target;
  test(`revokedBy() by ${kind} denies what is blocked, whenever it was issued, until it is lifted`, () => {
    const { list } = fixture();
    list.apply([block(target, NEVER)], [], { reset: false });
    const later = facts({ issuedAt: SECONDS + 9 });
    assert.equal(list.revokedBy(later, "billing"), kind);
    list.apply([], [revocationDigest(target)], { reset: false });
    assert.equal(list.revokedBy(later, "billing"), undefined);
  });
}

test("a block by service is no fault of the credential, and holds until its time", () => {
  const { list, clock } = fixture();
  list.apply([block(SERVICE, NOW + 5000)], [], { reset: false });
  assert.equal(list.revokedBy(facts({}), "billing"), undefined);
  assert.equal(list.blocksService("billing"), true);
  assert.equal(list.blocksService("other"), false);
  assert.equal(list.blocksService(undefined), false);
  clock.advance(4999);
  assert.equal(list.blocksService("billing"), true);
  clock.advance(1);
  assert.equal(list.blocksService("billing"), false);
});

test("revokedBy() tells one name from another: of another id, subject, authenticator, service", () => {
  const { list } = fixture();
  list.apply(
    [ID, SUBJECT].map((one) => revoke(one, NOW)),
    [],
    { reset: false },
  );
  list.apply([revoke(SERVICE, NOW)], [], { reset: false });
  const other = { ...facts({}).principal, subject: "bob" };
  assert.equal(list.revokedBy(facts({ principal: other }), "other"), "id");
  assert.equal(list.revokedBy(facts({ principal: other, tokenId: "t-2" }), "other"), undefined);
  assert.equal(list.revokedBy(facts({ principal: other, tokenId: undefined }), "other"), undefined);
  assert.equal(list.revokedBy(facts({ tokenId: "t-2" }), "other"), "subject");
  const theirs = { ...facts({}).principal, authenticator: "partners" };
  const partner = facts({ authenticator: "partners", principal: theirs });
  assert.equal(list.revokedBy(partner, "other"), undefined);
  assert.equal(list.revokedBy(partner, "billing"), "service");
});

test("revokedBy() notices what is revoked after a credential was found good, for the same facts", () => {
  const { list } = fixture();
  const known = facts({});
  list.apply([revoke({ ...ID, id: "t-9" }, NOW)], [], { reset: false });
  // The third time comes from what is remembered of it.
  for (let time = 0; time < 3; time++) assert.equal(list.revokedBy(known, "billing"), undefined);
  const { version } = list;
  list.apply([revoke(ID, NOW)], [], { reset: false });
  assert.notEqual(list.version, version);
  for (let time = 0; time < 3; time++) assert.equal(list.revokedBy(known, "billing"), "id");
});

test("an entry counts until it expires, and is swept then", () => {
  const { list, clock, timers } = fixture();
  list.apply([{ ...revoke(ID, NOW), expiresMs: NOW + 2000 }], [], { reset: false });
  clock.advance(1999);
  assert.equal(list.revokedBy(facts({}), undefined), "id");
  clock.advance(1);
  assert.equal(list.revokedBy(facts({}), undefined), undefined);
  assert.equal(list.size, 1);
  for (let time = 0; time < 64; time++) timers.runAll();
  assert.equal(list.size, 0);
});

test("a block that is to last longer than its entry lasts as long as it was told to", () => {
  const { list, clock } = fixture();
  list.apply([{ ...block(SUBJECT, NOW + 9000), expiresMs: NOW + 1 }], [], { reset: false });
  clock.advance(8000);
  assert.equal(list.revokedBy(facts({}), undefined), "subject");
});

test("fresh() is false until the list is vouched for, and beyond the bound", () => {
  const { list, clock } = fixture({ heard: false });
  assert.equal(list.fresh(clock.now()), false);
  list.apply([], [], { reset: true });
  assert.equal(list.fresh(clock.now()), false, "a snapshot that nobody says is whole");
  list.heard(NOW - 4000);
  assert.equal(list.fresh(clock.now()), true);
  assert.equal(list.staleness(clock.now()), 4000);
  clock.advance(6000);
  assert.equal(list.fresh(clock.now()), true);
  clock.advance(1);
  assert.equal(list.fresh(clock.now()), false);
  list.heard(NOW - 9000);
  assert.equal(list.fresh(clock.now()), false, "an old word that comes late");
  list.heard(clock.now());
  assert.equal(list.fresh(clock.now()), true);
});

test("fresh() goes by the clock that never goes back where the wall clock was set back", () => {
  const clock = { monotonicMs: 0, now: () => NOW, monotonic: () => clock.monotonicMs };
  const { list } = fixture({ clock, heard: false });
  // A word that took eight seconds to come.
  list.heard(NOW - 8000);
  clock.monotonicMs = 2000;
  assert.equal(list.fresh(NOW - 3_600_000), true);
  clock.monotonicMs = 2001;
  assert.equal(list.fresh(NOW - 3_600_000), false);
});

test("fresh() goes by the wall clock where the machine slept, and the other clock with it", () => {
  const { list } = fixture({ clock: { now: () => NOW, monotonic: () => 0 } });
  assert.equal(list.fresh(NOW + MAX_STALENESS), true);
  assert.equal(list.fresh(NOW + MAX_STALENESS + 1), false);
});

test("heard() keeps the newest word where an older one comes after it", () => {
  const { list, clock } = fixture();
  list.heard(NOW - 9000);
  clock.advance(MAX_STALENESS);
  assert.equal(list.fresh(clock.now()), true);
});

test("heard() does not take a word of the future, which would hold for too long", () => {
  const { list, clock, events } = fixture();
  clock.advance(1000);
  list.heard(clock.now() + MAX_STALENESS + 1);
  clock.advance(MAX_STALENESS);
  assert.equal(list.fresh(clock.now()), false);
  assert.equal(events.length, 1);
  // Within the bound it counts as heard now, and not later.
  list.heard(clock.now() + MAX_STALENESS);
  clock.advance(MAX_STALENESS + 1);
  assert.equal(list.fresh(clock.now()), false);
});

test("a list that becomes stale says so once, and once that it is fresh again", () => {
  const { list, clock, timers, events } = fixture();
  timers.runAll();
  assert.deepEqual(events, []);
  clock.advance(MAX_STALENESS + 1);
  timers.runAll();
  timers.runAll();
  assert.equal(events.length, 1);
  list.heard(clock.now());
  list.heard(clock.now());
  assert.equal(events.length, 2);
});

test("apply() with reset keeps denying what the former state denied until the snapshot is whole", () => {
  const { list } = fixture();
  const gone = facts({ tokenId: "t-2" });
  list.apply([revoke(ID, NOW), revoke({ ...ID, id: "t-2" }, NOW)], [], { reset: false });
  list.apply([revoke(SERVICE, NOW)], [], { reset: true });
  list.apply([revoke(ID, NOW)], [], { reset: false });
  assert.equal(list.revokedBy(gone, undefined), "id");
  assert.equal(list.fresh(NOW), true, "what is known is still believed, within its bound");
  // A connection that broke off, and began anew.
  list.apply([revoke(ID, NOW)], [], { reset: true });
  assert.equal(list.revokedBy(facts({ tokenId: "t-3" }), "billing"), "service");
  const { version } = list;
  list.heard(NOW);
  assert.notEqual(list.version, version);
  assert.equal(list.revokedBy(gone, "billing"), undefined);
  assert.equal(list.revokedBy(facts({}), undefined), "id");
});

test("apply() beyond the limit forgets nothing: the list is not fresh until a snapshot fits", () => {
  const { list, clock, events } = fixture({ maxEntries: 2 });
  const ids = ["a", "b", "c", "d"].map((id) => revoke({ ...ID, id }, NOW));
  list.apply(ids.slice(0, 2), [], { reset: false });
  list.apply(ids.slice(0, 2), [], { reset: false });
  assert.equal(list.fresh(NOW), true, "the same again takes no more place");
  list.apply(ids.slice(2), [], { reset: false });
  assert.equal(list.fresh(NOW), false);
  assert.equal(events.length, 1, "said once");
  assert.equal(list.revokedBy(facts({ tokenId: "b" }), undefined), "id");
  list.heard(clock.now());
  assert.equal(list.fresh(NOW), false, "hearing more does not bring back what is missing");
  list.apply(ids.slice(3), [], { reset: true });
  assert.equal(list.fresh(NOW), false, "the snapshot is not whole yet");
  list.heard(clock.now());
  assert.equal(list.fresh(NOW), true);
  assert.equal(list.size, 1);
});

test("apply() makes room by sweeping what has expired before it says that it is full", () => {
  const { list, clock } = fixture({ maxEntries: 2 });
  const short = ["a", "b"].map((id) => ({ ...revoke({ ...ID, id }, NOW), expiresMs: NOW + 1000 }));
  list.apply(short, [], { reset: false });
  clock.advance(1000);
  list.apply([revoke(ID, NOW)], [], { reset: false });
  assert.equal(list.fresh(clock.now()), true);
  assert.equal(list.size, 1);
});

test("apply() refuses a digest that is none, and believes nothing until a snapshot", () => {
  for (const bad of ["", "A".repeat(21), `${"A".repeat(21)}B`]) {
    const { list } = fixture();
    assert.throws(
      () => list.apply([{ ...revoke(ID, NOW), digest: bad }], [], { reset: false }),
      (error) => error instanceof SallyportError && error.code === "feed-failed",
    );
    assert.equal(list.fresh(NOW), false);
    const other = fixture();
    assert.throws(() => other.list.apply([], [bad], { reset: false }), SallyportError);
    assert.equal(other.list.fresh(NOW), false);
  }
});

test("watch() tells of every change of version until it is called off, and of nothing else", () => {
  const { list } = fixture();
  const versions: number[] = [];
  const end = list.watch(() => versions.push(list.version));
  list.apply([], [], { reset: false });
  list.heard(NOW);
  assert.deepEqual(versions, []);
  list.apply([revoke(ID, NOW)], [], { reset: false });
  list.apply([], [revocationDigest(ID)], { reset: false });
  assert.equal(new Set(versions).size, 2);
  end();
  list.apply([revoke(ID, NOW)], [], { reset: false });
  assert.equal(versions.length, 2);
});

test("createRevocationList() measures what it holds and what it denied", () => {
  const { list, metrics } = fixture();
  list.apply([revoke(ID, NOW)], [], { reset: false });
  list.denied("id");
  assert.equal(metrics.value("sallyport_revocations"), 1);
  assert.equal(metrics.value("sallyport_revocation_denials id"), 1);
});

test("createRevocationList() refuses bounds that are none", () => {
  assert.throws(() => fixture({ maxEntries: 0 }), TypeError);
  assert.throws(() => fixture({ maxStalenessMs: 0 }), TypeError);
});

const KEY = facts({
  authenticator: "keys",
  kind: "sallyport",
  tokenId: "k-3",
  issuedAt: SECONDS - 10,
  ancestors: [
    { authenticator: "keys", id: "k-2" },
    { authenticator: "mesh", id: "k-1", principal: { authenticator: "mesh", subject: "job" } },
  ],
});
const LINEAGE: readonly RevocationTarget[] = [
  { kind: "id", authenticator: "keys", id: "k-3" },
  { kind: "id", authenticator: "keys", id: "k-2" },
  { kind: "id", authenticator: "mesh", id: "k-1" },
  // Whom it stands for, as its own authenticator knew it; and whose credential an actor's was.
  { kind: "subject", authenticator: "corp", subject: "ann" },
  { kind: "subject", authenticator: "mesh", subject: "job" },
  { kind: "authenticator", authenticator: "keys" },
  { kind: "authenticator", authenticator: "corp" },
  { kind: "authenticator", authenticator: "mesh" },
];

for (const taken of LINEAGE) {
  const { kind, ...names } = taken;
  test(`revokedBy() denies a key by ${kind} ${Object.values(names).join("/")}, revoked or blocked`, () => {
    for (const entry of [revoke(taken, NOW), block(taken, NEVER)]) {
      const { list } = fixture();
      list.apply([revoke({ ...ID, id: "other" }, NOW)], [], { reset: false });
      // The third time comes from what is remembered of it.
      for (let time = 0; time < 3; time++) assert.equal(list.revokedBy(KEY, "billing"), undefined);
      list.apply([entry], [], { reset: false });
      assert.equal(list.revokedBy(KEY, "billing"), kind);
      list.apply([], [revocationDigest(taken)], { reset: false });
      assert.equal(list.revokedBy(KEY, "billing"), undefined);
    }
  });
}

test("revokedBy() denies a key by others' names in no other way than by these", () => {
  const { list } = fixture();
  const others: readonly RevocationTarget[] = [
    { kind: "id", authenticator: "corp", id: "k-3" },
    { kind: "id", authenticator: "keys", id: "k-1" },
    { kind: "id", authenticator: "mesh", id: "k-2" },
    { kind: "subject", authenticator: "mesh", subject: "ann" },
    { kind: "subject", authenticator: "corp", subject: "job" },
    { kind: "authenticator", authenticator: "partners" },
  ];
  list.apply(
    others.map((one) => block(one, NEVER)),
    [],
    { reset: false },
  );
  assert.equal(list.revokedBy(KEY, "billing"), undefined);
});

test("revokedBy() denies what was derived from a revoked credential, however late that was", () => {
  const { list } = fixture();
  const late = { ...KEY, issuedAt: SECONDS + 3600 };
  list.apply([revoke({ kind: "id", authenticator: "keys", id: "k-2" }, NOW)], [], { reset: false });
  assert.equal(list.revokedBy(late, undefined), "id");
  // Its own id was cut off before it was issued, as of any credential.
  const own = fixture().list;
  own.apply([revoke({ kind: "id", authenticator: "keys", id: "k-3" }, NOW)], [], { reset: false });
  assert.equal(own.revokedBy(late, undefined), undefined);
});

test("revokedBy() denies keys that an authority issued before it heard of a cut-off of the subject", () => {
  for (const target of [
    { kind: "subject", authenticator: "corp", subject: "ann" },
    { kind: "authenticator", authenticator: "mesh" },
  ] as const) {
    const { list } = fixture();
    list.apply([revoke(target, NOW)], [], { reset: false });
    const issued = (after: number) => ({ ...KEY, clockSkew: 2, issuedAt: SECONDS + after });
    const bound = MAX_STALENESS / 1000 + 2;
    assert.equal(list.revokedBy(issued(bound), undefined), target.kind);
    assert.equal(list.revokedBy(issued(bound + 1), undefined), undefined);
  }
});

// The list beside a naive model of the rules, with few names so that everything meets everything.

const name = fc.constantFrom("a", "b");
const target: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant("id" as const), authenticator: name, id: name }),
  fc.record({ kind: fc.constant("subject" as const), authenticator: name, subject: name }),
  fc.record({ kind: fc.constant("authenticator" as const), authenticator: name }),
  fc.record({ kind: fc.constant("service" as const), service: name }),
);
const soon = fc.integer({ min: -3000, max: 9000 });
const step = fc.oneof(
  fc.record({
    do: fc.constant("put" as const),
    target,
    cutoff: fc.option(soon, { nil: undefined }),
    block: fc.option(fc.oneof(soon, fc.constant(NEVER)), { nil: undefined }),
    expires: fc.oneof(soon, fc.constant(NEVER)),
    reset: fc.boolean(),
  }),
  fc.record({ do: fc.constant("lift" as const), target }),
  fc.record({ do: fc.constant("heard" as const) }),
  fc.record({ do: fc.constant("pass" as const), ms: fc.nat(4000) }),
);

test("revokedBy() and blocksService() answer as a naive model of the rules does", () => {
  const derived = [undefined, SECONDS - 2, SECONDS + 11, SECONDS + 20].flatMap((issuedAt) =>
    [
      [],
      [{ authenticator: "a", id: "a" }],
      [{ authenticator: "b", id: "a", principal: { authenticator: "a", subject: "b" } }],
    ].map((ancestors) =>
      facts({
        authenticator: "a",
        tokenId: "b",
        issuedAt,
        clockSkew: 1,
        principal: { ...facts({}).principal, authenticator: "b", subject: "a" },
        ancestors,
      }),
    ),
  );
  const direct = ["a", "b"].flatMap((authenticator) =>
    ["a", "b"].flatMap((subject) =>
      [undefined, "a", "b"].flatMap((tokenId) =>
        [undefined, SECONDS - 2, SECONDS, SECONDS + 3].map((issuedAt) =>
          facts({
            authenticator,
            tokenId,
            issuedAt,
            clockSkew: 1,
            principal: { ...facts({}).principal, authenticator, subject },
          }),
        ),
      ),
    ),
  );
  const everybody = [...direct, ...derived];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { list, clock, timers } = fixture();
      const model = new Model();
      for (const one of steps) {
        if (one.do === "put") {
          const entry = {
            digest: revocationDigest(one.target),
            cutoffMs: one.cutoff === undefined ? undefined : NOW + one.cutoff,
            blockedUntilMs: one.block === NEVER ? NEVER : add(one.block),
            expiresMs: one.expires === NEVER ? NEVER : NOW + one.expires,
          };
          list.apply([entry], [], { reset: one.reset });
          model.put(entry, one.reset);
        } else if (one.do === "lift") {
          list.apply([], [revocationDigest(one.target)], { reset: false });
          model.lift(revocationDigest(one.target));
        } else if (one.do === "heard") {
          list.heard(clock.now());
          model.whole();
        } else {
          clock.advance(one.ms);
          timers.runAll();
        }
        for (const service of [undefined, "a", "b"]) {
          assert.equal(list.blocksService(service), model.blocks(service, clock.now()));
          for (const who of everybody) {
            const expected = model.revokes(who, { service, nowMs: clock.now() });
            assert.equal(list.revokedBy(who, service), expected);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});

function add(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : NOW + ms;
}

/** All that was told, in a Map; asked in the plainest way. */
class Model {
  #former = new Map<string, RevocationEntry>();
  #entries = new Map<string, RevocationEntry>();
  #snapshot = false;

  put(entry: RevocationEntry, reset: boolean): void {
    if (reset) {
      for (const [digest, one] of this.#entries) this.#former.set(digest, one);
      this.#entries = new Map();
      this.#snapshot = true;
    }
    this.#entries.set(entry.digest, entry);
    this.#former.delete(entry.digest);
  }

  lift(digest: string): void {
    this.#entries.delete(digest);
    this.#former.delete(digest);
  }

  whole(): void {
    if (this.#snapshot) this.#former = new Map();
    this.#snapshot = false;
  }

  blocks(service: string | undefined, nowMs: number): boolean {
    if (service === undefined) return false;
    return this.#blocked(this.#entry({ kind: "service", service }, nowMs), nowMs);
  }

  revokes(
    { authenticator, tokenId, principal, issuedAt, clockSkew, ancestors }: CredentialFacts,
    { service, nowMs }: { service: string | undefined; nowMs: number },
  ): RevocationKind | undefined {
    const cut = (entry: RevocationEntry | undefined, late = 0): boolean =>
      entry?.cutoffMs !== undefined &&
      (issuedAt === undefined || issuedAt <= Math.ceil(entry.cutoffMs / 1000) + clockSkew + late);
    const dead = (one: RevocationTarget, late = 0): boolean => {
      const entry = this.#entry(one, nowMs);
      return cut(entry, late) || this.#blocked(entry, nowMs);
    };
    if (tokenId !== undefined && dead({ kind: "id", authenticator, id: tokenId })) return "id";
    const { subject } = principal;
    if (dead({ kind: "subject", authenticator, subject })) return "subject";
    if (dead({ kind: "authenticator", authenticator })) return "authenticator";
    const late = MAX_STALENESS / 1000;
    const above = ancestors ?? [];
    for (const { id, authenticator: owner } of above) {
      if (id === undefined) continue;
      if (dead({ kind: "id", authenticator: owner, id }, Number.POSITIVE_INFINITY)) return "id";
    }
    if (ancestors !== undefined) {
      const callers = [principal, ...above.flatMap((one) => one.principal ?? [])];
      for (const one of callers) {
        const caller = { authenticator: one.authenticator, subject: one.subject };
        if (dead({ kind: "subject", ...caller }, late)) return "subject";
      }
      for (const { authenticator: owner } of [...callers, ...above]) {
        if (dead({ kind: "authenticator", authenticator: owner }, late)) return "authenticator";
      }
    }
    if (service === undefined) return undefined;
    return cut(this.#entry({ kind: "service", service }, nowMs)) ? "service" : undefined;
  }

  #blocked(entry: RevocationEntry | undefined, nowMs: number): boolean {
    if (entry?.blockedUntilMs === undefined) return false;
    return nowMs < Math.ceil(entry.blockedUntilMs / 1000) * 1000;
  }

  #entry(one: RevocationTarget, nowMs: number): RevocationEntry | undefined {
    const digest = revocationDigest(one);
    const entry = this.#entries.get(digest) ?? this.#former.get(digest);
    if (entry === undefined) return undefined;
    const end = Math.max(entry.expiresMs, entry.blockedUntilMs ?? 0);
    return nowMs < Math.ceil(end / 1000) * 1000 ? entry : undefined;
  }
}

function revoke(one: RevocationTarget, cutoffMs: number): RevocationEntry {
  return {
    digest: revocationDigest(one),
    cutoffMs,
    blockedUntilMs: undefined,
    expiresMs: NEVER,
  };
}

function block(one: RevocationTarget, blockedUntilMs: number): RevocationEntry {
  const expiresMs = blockedUntilMs;
  return { digest: revocationDigest(one), cutoffMs: undefined, blockedUntilMs, expiresMs };
}

function facts(change: Partial<CredentialFacts>): CredentialFacts {
  return {
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "ann",
      roles: [],
      groups: [],
      attributes: {},
    },
    authenticator: "corp",
    kind: "jwt",
    credentialHash: "hash",
    expiresAt: SECONDS + 3600,
    notBefore: undefined,
    issuedAt: SECONDS - 100,
    clockSkew: 0,
    audience: [],
    acceptedAudience: [],
    scopes: [],
    tokenId: "t-1",
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
    ...change,
  };
}

interface Given {
  readonly maxEntries?: number;
  readonly maxStalenessMs?: number;
  /** Whether it was vouched for. */
  readonly heard?: boolean;
  /** Instead of one that a test turns. */
  readonly clock?: Clock;
}

function fixture(options: Given = {}) {
  const { heard = true, clock: given, ...bounds } = options;
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const metrics = recordedMetrics();
  const log = recordedLog();
  const events = log.lines;
  const list = createRevocationList(
    { maxStalenessMs: MAX_STALENESS, ...bounds },
    { clock: given ?? clock, timers, metrics, log },
  );
  if (heard) list.heard(NOW);
  events.length = 0;
  return { list, clock, timers, metrics, events };
}
