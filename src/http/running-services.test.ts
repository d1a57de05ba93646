import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord } from "./health/endpoint-record.ts";
import { createRunningServices, type Records, type RunningService } from "./running-services.ts";

class Fake implements RunningService {
  closed = 0;
  readonly from: Records;
  readonly known: Records = new Map([["a:1", { ...newRecord(), ejected: true }]]);

  constructor(from: Records) {
    this.from = from;
  }

  forward(): never {
    throw new TypeError("nothing is forwarded here");
  }

  async start(): Promise<void> {}

  records(): Records {
    return this.known;
  }

  close(): void {
    this.closed += 1;
  }
}

test("open() gives who asks with the same options the same service, until the last has closed it", () => {
  const services = createRunningServices();
  const made: Fake[] = [];
  const create = (records: Records): Fake => {
    const fake = new Fake(records);
    made.push(fake);
    return fake;
  };
  const first = services.open("billing", { balance: "random" }, create);
  const second = services.open("billing", { balance: "random" }, create);
  services.open("orders", { balance: "random" }, create);
  assert.equal(made.length, 2);
  first.close();
  first.close();
  assert.equal(made[0]?.closed, 0);
  second.close();
  assert.equal(made[0]?.closed, 1);
});

test("open() hands on what is known where the options have changed, and a change that failed leaves the former", () => {
  const services = createRunningServices();
  const made: Fake[] = [];
  const create = (records: Records): Fake => {
    const fake = new Fake(records);
    made.push(fake);
    return fake;
  };
  services.open("billing", { panic: 25 }, create);
  assert.equal(made[0]?.from.size, 0);
  const changed = services.open("billing", { panic: 50 }, create);
  assert.equal(made[1]?.from, made[0]?.known);
  changed.close();
  assert.deepEqual([made[0]?.closed, made[1]?.closed], [0, 1]);
  services.open("billing", { panic: 25 }, create);
  assert.equal(made.length, 2);
});
