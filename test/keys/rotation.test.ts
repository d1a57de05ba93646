/**
 * Verification never fails across rotations: whatever any replica signs is verified by whoever has
 * the keys of any replica of up to an hour and a quarter ago, until the last of it is over. And after
 * an emergency nothing old is.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readKeySet } from "../../src/crypto/jwk.ts";
import { readJws, verifyJws } from "../../src/crypto/jws.ts";
import { PUBLICATION } from "../../src/keys/key-policy.ts";
import { HOUR, MINUTE } from "./kit.ts";
import { type ReplicaPlan, type Sample, type Signature, Simulation } from "./simulation.ts";

const OPTIONS = { algorithm: "EdDSA", rotateMs: 3 * HOUR, lifetimeMs: 30 * MINUTE } as const;
/** The age of the keys by which somebody verifies. */
const OLD = PUBLICATION.cachedMs + PUBLICATION.staleMs;

/** Four rotations. */
const DURATION = 13 * HOUR;

/** At most one an hour and a half, apart: as long as the schedule is made to bear. */
const outages = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 4 * HOUR, max: 6 * HOUR }),
      lengthMs: fc.integer({ min: 0, max: 85 * MINUTE }),
    }),
    { maxLength: 3 },
  )
  .map((list) => {
    let at = 0;
    return list.map(({ gapMs, lengthMs }) => {
      const fromMs = at + gapMs;
      at = fromMs + lengthMs;
      return { fromMs, untilMs: at };
    });
  });

const plan: fc.Arbitrary<ReplicaPlan> = fc.record({
  // Also clocks that are so wrong that nobody would verify what they write into a token.
  skewMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -MINUTE, max: MINUTE }) },
    { weight: 1, arbitrary: fc.constantFrom(-400 * 24 * HOUR, -HOUR, HOUR, 400 * 24 * HOUR) },
  ),
  driftPpm: fc.integer({ min: -200, max: 200 }),
  latencyMs: fc.constantFrom(0, 5, 500, 5000),
  noticeMs: fc.constantFrom(0, 1000, 20_000, undefined),
  outages,
});

const scenario = fc.record({
  seed: fc.nat(),
  plans: fc.array(plan, { minLength: 1, maxLength: 3 }),
  // One that keeps time, or nobody would make keys.
  keeper: plan.map((one) => ({ ...one, skewMs: one.skewMs % MINUTE })),
  /** The store itself is away: nobody reaches it. */
  away: fc.option(outages, { nil: undefined }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

async function simulate({ seed, plans, keeper, away }: Scenario): Promise<Simulation> {
  const simulation = new Simulation(seed);
  const all = [keeper, ...plans].map((one) => ({ ...one, outages: away ?? one.outages }));
  await simulation.start(all, OPTIONS);
  return simulation;
}

/** Signatures that somebody could not verify who has the keys as of some time in their window. */
function failures(
  { samples }: Simulation,
  signatures: readonly Signature[],
  window: (signature: Signature) => readonly [fromMs: number, untilMs: number],
): string[] {
  const ordered = samples.toSorted((a, b) => a.asOfMs - b.asOfMs);
  const without = new Map(
    [...new Set(signatures.map(({ kid }) => kid))].map((kid) => [
      kid,
      ordered.filter(({ keys }) => !keys.has(kid)),
    ]),
  );
  return signatures.flatMap((signature) => {
    const [fromMs, untilMs] = window(signature);
    const lacking = without.get(signature.kid) ?? [];
    const absent = lacking[firstFrom(lacking, fromMs)];
    const oldest = ordered[firstFrom(ordered, fromMs)];
    const failed =
      absent !== undefined && absent.asOfMs <= untilMs
        ? absent
        : [oldest].find((sample) => sample !== undefined && !verifies(signature, sample));
    if (failed === undefined) return [];
    const [at, asOf] = [signature.atMs / MINUTE, failed.asOfMs / MINUTE];
    return [
      `signed by ${signature.replica} at minute ${at}, not verified with keys of ${failed.replica} as of minute ${asOf}`,
    ];
  });
}

/** Whether somebody with these keys takes what was signed, where it was kept. */
function verifies({ token, kid }: Signature, { keys }: Sample): boolean {
  if (token === undefined) return true;
  const jws = readJws(token);
  const [key] = readKeySet({ keys: [keys.get(kid) ?? null] }).keys;
  return "claims" in jws && key !== undefined && verifyJws(jws, OPTIONS.algorithm, key);
}

/** Where the first sample from that time on stands. */
function firstFrom(ordered: readonly Sample[], fromMs: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ordered[middle]?.asOfMs ?? Infinity) < fromMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

test("what any replica signs is verified with the keys of any replica, however old they may be", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const simulation = await simulate(given);
      await simulation.run(DURATION);
      const { signatures } = simulation;
      assert.ok(new Set(signatures.map(({ kid }) => kid)).size >= 3, "keys were rotated");
      assert.equal(simulation.refused, 0, "there was always a key to sign with");
      const [first] = signatures;
      const window = ({ atMs, kid }: Signature): readonly [number, number] => [
        // The first key is used at once: nobody has any keys yet.
        kid === first?.kid ? atMs : atMs - OLD,
        atMs + OPTIONS.lifetimeMs + MINUTE,
      ];
      assert.deepEqual(failures(simulation, signatures, window).slice(0, 3), []);
    }),
    { numRuns: 8 },
  );
});

test("replicas never disagree about the key to sign with for longer than their clocks and looks allow", async () => {
  const calm = scenario.map((given) => ({
    ...given,
    plans: given.plans.map((one) => ({ ...one, outages: [] })),
    keeper: { ...given.keeper, outages: [] },
    away: undefined,
  }));
  await fc.assert(
    fc.asyncProperty(calm, async (given) => {
      const simulation = await simulate(given);
      await simulation.run(10 * HOUR, 10_000);
      const disagreeing = new Map<number, Set<string>>();
      for (const { atMs, kid } of simulation.signatures) {
        disagreeing.set(atMs, (disagreeing.get(atMs) ?? new Set()).add(kid));
      }
      let longest = 0;
      let since: number | undefined;
      for (const [atMs, kids] of disagreeing) {
        if (kids.size === 1) since = undefined;
        else longest = Math.max(longest, atMs - (since ??= atMs));
      }
      // A change is known long before its time, so only the estimates of the time differ.
      assert.ok(longest <= 20_000, `${longest} ms`);
    }),
    { numRuns: 4 },
  );
});

test("after an emergency nothing old verifies, and what is new does, on every replica", async () => {
  await fc.assert(
    fc.asyncProperty(
      scenario,
      fc.integer({ min: HOUR, max: 8 * HOUR }),
      fc.nat(),
      async (given, atMs, who) => {
        const simulation = await simulate(given);
        await simulation.run(atMs);
        const former = new Set(simulation.samples.flatMap(({ keys }) => [...keys.keys()]));
        const rotated = await ask(simulation, who);
        if (!rotated) return;
        const doneMs = simulation.nowMs;
        await simulation.run(doneMs + 3 * HOUR);
        // Whoever looked at the store after it has none of the old ones left.
        const later = simulation.samples.filter(({ asOfMs }) => asOfMs > doneMs);
        assert.ok(later.length > 0);
        for (const { keys } of later) {
          assert.ok(![...keys.keys()].some((kid) => former.has(kid)), "an old key is published");
          assert.ok(keys.size >= 1);
        }
        // And signs with no old one.
        const stale = simulation.signatures.filter(
          (one) => former.has(one.kid) && contactOf(simulation, one) > doneMs,
        );
        assert.deepEqual(stale, []);
        assert.equal(simulation.refused, 0, "there was always a key to sign with");
        const fresh = simulation.signatures.filter(({ kid }) => !former.has(kid));
        assert.ok(fresh.length > 0);
        const from = (one: Signature): readonly [number, number] => [
          one.atMs,
          one.atMs + OPTIONS.lifetimeMs,
        ];
        assert.deepEqual(failures(simulation, fresh, from).slice(0, 3), []);
      },
    ),
    { numRuns: 6 },
  );
});

/** When the replica had last looked at the store before it made that signature. */
function contactOf({ samples }: Simulation, { atMs, replica }: Signature): number {
  return Math.max(
    -Infinity,
    ...samples
      .filter((one) => one.replica === replica && one.asOfMs <= atMs)
      .map(({ asOfMs }) => asOfMs),
  );
}

/** Asks any replica that reaches the store. */
async function ask(simulation: Simulation, who: number): Promise<boolean> {
  const { replicas } = simulation;
  for (let offset = 0; offset < replicas.length; offset++) {
    const replica = replicas[(who + offset) % replicas.length];
    try {
      await simulation.ask(async () => {
        await replica?.keys.rotate("tokens", { emergency: true });
      });
      return true;
    } catch {
      // Away: the next one is asked.
    }
  }
  return false;
}
