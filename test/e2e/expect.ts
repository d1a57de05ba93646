/** What tests of attacks assert on the evidence. */
import { strict as assert } from "node:assert";
import { answersOf, judge, type Evidence } from "./judge.ts";
import { readRequests, type StrictRequest } from "./strict-http1.ts";

/** No rule of the judge was broken. */
export function assertHarmless(evidence: Evidence): void {
  assert.deepEqual(judge(evidence), []);
}

/** Status of each final answer, in order. */
export function statusesOf(evidence: Evidence): number[] {
  return answersOf(evidence)
    .map(({ status }) => status)
    .filter((status) => status >= 200);
}

/** Everything that reached the service, in order of its connections. */
export function arrivalsOf(evidence: Evidence): StrictRequest[] {
  return evidence.arrived.flatMap((text) => [...readRequests(text).messages]);
}

/** Reasons of the decisions that were recorded, in order. */
export function reasonsOf(evidence: Evidence): unknown[] {
  return evidence.decisions.map(({ reason }) => reason);
}

/** The attack was refused outright: one answer of that status, then the connection was closed. */
export function assertRefused(evidence: Evidence, status: number): void {
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence), [status]);
  assert.deepEqual(arrivalsOf(evidence), []);
}
