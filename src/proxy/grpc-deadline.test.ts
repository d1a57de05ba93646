import assert from "node:assert/strict";
import { test } from "node:test";
import type { Permit } from "../gate/decision.ts";
import type { Exchange } from "../http/exchange.ts";
import { passDeadline } from "./grpc-deadline.ts";

/** A call with `grpc-timeout: caller` of which `spentMs` have passed; what goes on, and the bound. */
function pass(caller: readonly string[], spentMs: number, set: readonly string[] = []) {
  const fields = ["te", "trailers"];
  for (const value of caller) fields.push("grpc-timeout", value);
  const sent = [...fields, ...set];
  const bound = passDeadline(sent, {
    permit: { request: { head: { fields } } } as unknown as Permit,
    exchange: { receivedAt: 1000 } as unknown as Exchange,
    clock: { now: () => 0, monotonic: () => 1000 + spentMs },
  });
  return { bound, sent: sent.filter((_, index) => sent[index - 1] === "grpc-timeout") };
}

test("passDeadline() bounds the exchange and passes the caller's own text on", () => {
  assert.deepEqual(pass(["5S"], 0.4), { bound: 5000, sent: ["5S"] });
  assert.deepEqual(pass([], 0.4), { bound: undefined, sent: [] });
});

test("passDeadline() tells the service what is left once deciding took its time", () => {
  assert.deepEqual(pass(["5S"], 1500), { bound: 5000, sent: ["3500000u"] });
});

test("passDeadline() leaves alone what the route sets", () => {
  assert.deepEqual(pass(["5S"], 1500, ["grpc-timeout", "1S"]).sent, ["3500000u", "1S"]);
});

test("passDeadline() refuses what cannot be read, and what has passed", () => {
  const refused = (caller: string[], spentMs: number) => {
    const { bound } = pass(caller, spentMs);
    return typeof bound === "object" ? bound.reason : undefined;
  };
  assert.equal(refused(["5s"], 0), "invalid-deadline");
  assert.equal(refused(["5S", "6S"], 0), "invalid-deadline");
  assert.equal(refused(["0n"], 0), "deadline-exceeded");
  assert.equal(refused(["10m"], 10), "deadline-exceeded");
});
