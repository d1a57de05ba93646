import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Balancer, Candidate } from "./balancer.ts";
import { BALANCERS, createBalancer } from "./create.ts";
import { createConsistentHash } from "./consistent-hash.ts";
import { hashText } from "./hash.ts";
import { createLeastRequests } from "./least-requests.ts";
import { createRandom } from "./random.ts";
import { createRoundRobin } from "./round-robin.ts";

interface Endpoint extends Candidate {
  readonly name: string;
  weight: number;
  active: number;
  open: boolean;
}

function endpoint(name: string, weight = 1): Endpoint {
  return { name, weight, active: 0, open: true, seed: hashText(name) };
}

function endpoints(...weights: number[]): Endpoint[] {
  return weights.map((weight, index) => endpoint(`10.0.0.${index}:80`, weight));
}

/** Numbers from 0 to below 1 that come out the same in each run (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function counts(balancer: Balancer, among: readonly Endpoint[], rounds: number): number[] {
  const picked = among.map(() => 0);
  for (let round = 0; round < rounds; round += 1) {
    const one = balancer.pick(among, [], `key ${round}`);
    const at = one === undefined ? -1 : among.indexOf(one);
    picked[at] = (picked[at] ?? 0) + 1;
  }
  return picked;
}

const weightsArbitrary = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 });

test("every balancer picks only what is open and untried, and something while there is any", () => {
  const balancers = BALANCERS.map((name) =>
    createBalancer(name, { maxLoad: 125 }, seededRandom(7)),
  );
  const arbitrary = fc.record({
    parts: fc.array(
      fc.record({
        weight: fc.integer({ min: 1, max: 100 }),
        active: fc.integer({ min: 0, max: 300 }),
        open: fc.boolean(),
        tried: fc.boolean(),
      }),
      { maxLength: 10 },
    ),
    key: fc.option(fc.string(), { nil: undefined }),
    which: fc.nat({ max: balancers.length - 1 }),
  });
  fc.assert(
    fc.property(arbitrary, ({ parts, key, which }) => {
      const among = parts.map((part, index) => ({ ...endpoint(`e${index}`), ...part }));
      const tried = among.filter((one) => one.tried);
      const picked = balancers[which]?.pick(among, tried, key);
      const usable = among.filter((one) => one.open && !one.tried);
      if (usable.length === 0) assert.equal(picked, undefined);
      else assert.ok(picked !== undefined && usable.includes(picked));
    }),
  );
});

test("createRoundRobin() takes equal ones in turn", () => {
  const among = endpoints(1, 1, 1);
  const balancer = createRoundRobin();
  const names = [0, 1, 2, 3, 4, 5].map(() => balancer.pick(among, [], undefined)?.name);
  assert.deepEqual(names.slice(0, 3), names.slice(3));
  assert.equal(new Set(names).size, 3);
});

test("createRoundRobin() gives each its weight in every full round, never bunched", () => {
  fc.assert(
    fc.property(weightsArbitrary, (weights) => {
      const among = endpoints(...weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const balancer = createRoundRobin();
      assert.deepEqual(counts(balancer, among, total), weights);
      assert.deepEqual(counts(balancer, among, total), weights);
    }),
  );
  const among = endpoints(5, 1, 1);
  const balancer = createRoundRobin();
  const order = Array.from({ length: 7 }, () => among.indexOf(pickOf(balancer, among)));
  assert.deepEqual(order, [0, 0, 1, 0, 2, 0, 0]);
});

test("createRandom() and createLeastRequests() give each its weight when nothing is in flight", () => {
  const weights = [6, 3, 1];
  const drawn = counts(createRandom(seededRandom(1)), endpoints(...weights), 20_000);
  for (const [index, weight] of weights.entries()) {
    const share = (drawn[index] ?? 0) / 20_000;
    assert.ok(Math.abs(share - weight / 10) < 0.02, `random: ${index} got ${share}`);
  }
  const equal = counts(createLeastRequests(seededRandom(2)), endpoints(1, 1, 1, 1), 20_000);
  for (const count of equal) assert.ok(Math.abs(count / 20_000 - 0.25) < 0.02, equal.join(" "));
});

test("createLeastRequests() never takes the fuller of the two that it drew", () => {
  const among = endpoints(1, 1);
  const balancer = createLeastRequests(seededRandom(3));
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), (one, other) => {
      among.forEach((part, index) => (part.active = index === 0 ? one : other));
      const picked = pickOf(balancer, among);
      assert.equal(picked.active, Math.min(one, other));
    }),
  );
  // A weight of 3 carries three times the load before the other is the better one.
  const [heavy, light] = endpoints(3, 1) as [Endpoint, Endpoint];
  heavy.active = 4;
  light.active = 1;
  assert.equal(pickOf(balancer, [heavy, light]), heavy);
  heavy.active = 6;
  assert.equal(pickOf(balancer, [heavy, light]), light);
});

test("createLeastRequests() keeps queues level where requests last", () => {
  const among = endpoints(1, 1, 1, 1, 1, 1, 1, 1);
  const balancer = createLeastRequests(seededRandom(4));
  for (let round = 0; round < 8000; round += 1) pickOf(balancer, among).active += 1;
  const most = Math.max(...among.map(({ active }) => active));
  assert.ok(most < 1010, `one has ${most} of 8000 where a level share is 1000`);
});

test("createConsistentHash() keeps each key where it was when an endpoint leaves or comes", () => {
  const balancer = createConsistentHash({ maxLoad: 125 }, seededRandom(5));
  fc.assert(
    fc.property(weightsArbitrary, fc.nat(11), (weights, out) => {
      const among = endpoints(...weights);
      const leaving = among[out % among.length];
      const rest = among.filter((one) => one !== leaving);
      if (rest.length === 0) return;
      for (let index = 0; index < 100; index += 1) {
        const before = pickOf(balancer, among, `key ${index}`);
        const after = pickOf(balancer, rest, `key ${index}`);
        // Only the keys of the one that left are anywhere else.
        if (before !== leaving) assert.equal(after, before);
      }
    }),
  );
});

test("createConsistentHash() gives each endpoint keys by its weight", () => {
  const weights = [4, 2, 1, 1];
  const shares = counts(
    createConsistentHash({ maxLoad: 125 }, Math.random),
    endpoints(...weights),
    20_000,
  );
  for (const [index, weight] of weights.entries()) {
    const share = (shares[index] ?? 0) / 20_000;
    assert.ok(Math.abs(share - weight / 8) < 0.02, `${index} got ${share}`);
  }
});

test("createConsistentHash() lets no endpoint have more than its bound, whatever the keys", () => {
  const maxLoad = 125;
  const balancer = createConsistentHash({ maxLoad }, seededRandom(6));
  fc.assert(
    fc.property(
      weightsArbitrary,
      fc.array(fc.nat(3), { minLength: 50, maxLength: 300 }),
      (weights, keys) => {
        const among = endpoints(...weights);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [index, key] of keys.entries()) {
          const picked = pickOf(balancer, among, `key ${key}`);
          picked.active += 1;
          const bound = Math.ceil(((index + 1) * maxLoad * picked.weight) / (100 * total));
          assert.ok(picked.active <= Math.max(4, bound), `${picked.active} of ${index + 1}`);
        }
      },
    ),
  );
});

test("createConsistentHash() goes back to the key's own endpoint when the load is gone", () => {
  const among = endpoints(1, 1, 1);
  const balancer = createConsistentHash({ maxLoad: 125 }, seededRandom(8));
  const own = pickOf(balancer, among, "a");
  own.active = 100;
  assert.notEqual(pickOf(balancer, among, "a"), own);
  own.active = 0;
  assert.equal(pickOf(balancer, among, "a"), own);
});

function pickOf<T extends Candidate>(balancer: Balancer, among: readonly T[], key?: string): T {
  const picked = balancer.pick(among, [], key);
  assert.ok(picked !== undefined);
  return picked;
}
