/**
 * Does all of the demo by itself and judges it three times: by the answer that the caller got, by
 * what reached the service, and by what the audit log says afterwards.
 */
import { join } from "node:path";
import { readTrail, type Trail } from "./audit-trail.ts";
import { Browser } from "./browser.ts";
import { CASES, type Case } from "./cases.ts";
import { PEOPLE, type Person } from "./cast.ts";
import { makeProof } from "./proof.ts";
import { send, type Answer } from "./raw-client.ts";
import type { Arrival } from "./services.ts";
import { followSteps, type Outcome, STREAM } from "./stocktaker.ts";
import type { World } from "./world.ts";

export interface Verdict {
  readonly one: Case;
  readonly status: number;
  readonly reason: string;
  /** What was wrong, in words; empty when every judge was content. */
  readonly faults: readonly string[];
}

/** Runs every case in turn, then ends the proxy and reads its records. */
export async function check(world: World, arrivals: readonly Arrival[]): Promise<Verdict[]> {
  await world.checkConfigs();
  const answers: { one: Case; answer: Answer; arrived: readonly Arrival[] }[] = [];
  for (const one of CASES) {
    const before = arrivals.length;
    const answer = await ask(world, one);
    answers.push({ one, answer, arrived: arrivals.slice(before) });
  }
  const from = arrivals.length;
  const followed = await followSteps(world);
  const reached = new Set(arrivals.slice(from).map(({ path }) => path));
  await world.stopProxy();
  const trail = readTrail(join(world.folder, "audit"));
  const beside = readTrail(join(world.folder, "sidecar", "audit"));
  const cases = answers.map(({ one, answer, arrived }) => ({
    one,
    status: answer.status,
    reason: reasonOf(answer),
    faults: [
      ...judgeAnswer(one, answer),
      ...judgeArrival(one, arrived),
      ...judgeTrail(one, answer, trail),
    ],
  }));
  return [...cases, ...followed.map((outcome) => judgeStep(outcome, { reached, trail, beside }))];
}

/** The caller's answer, what reached the service, and what sidecar and gate have on record. */
function judgeStep(
  { one, answer, faults }: Outcome,
  {
    reached,
    trail,
    beside,
  }: { readonly reached: ReadonlySet<string>; readonly trail: Trail; readonly beside: Trail },
): Verdict {
  const id = answer.fields["sallyport-decision"] ?? "";
  const completion = beside.completions.get(id);
  const found = [...faults, ...judgeAnswer(one, answer)];
  if (one.reaches !== undefined && !reached.has(one.reaches.path)) {
    found.push("the service never saw it");
  }
  if (!beside.decisions.has(id)) found.push("no decision record of the sidecar");
  if (completion?.["status"] !== answer.status) {
    found.push(`the sidecar completed it as ${String(completion?.["status"])}`);
  }
  if (one.target === STREAM && !endedByRevocation(trail)) {
    found.push("the gate has no record that the revocation ended it");
  }
  const reason = answer.status === 200 ? "permitted" : reasonOf(answer);
  return { one, status: answer.status, reason, faults: found };
}

function endedByRevocation(trail: Trail): boolean {
  return [...trail.completions].some(
    ([id, { end }]) => end === "credential-revoked" && trail.decisions.get(id)?.["path"] === STREAM,
  );
}

function ask(world: World, one: Case): Promise<Answer> {
  const person = PEOPLE.find(({ id }) => id === one.browser);
  if (person !== undefined) return browse(world, one, person);
  const door = world.doors[one.door ?? "edge"];
  const fields: string[] = [];
  if (one.token !== undefined) fields.push(`Authorization: ${world.wallet[one.token]}`);
  if (one.token !== undefined && one.proofFor !== undefined) {
    const [, token = ""] = world.wallet[one.token].split(" ");
    const url = `http://${door.address}${one.proofFor}`;
    const proof = makeProof(world.courierKey, { method: one.method ?? "GET", url, token });
    fields.push(`DPoP: ${proof}`);
  }
  return send(door, one, fields);
}

/** Each in a browser of their own, so that nobody is logged in before. */
async function browse(world: World, one: Case, person: Person): Promise<Answer> {
  const page = await new Browser(person).open(new URL(`http://${world.proxy}${one.target}`));
  const fields = Object.entries(page.fields).map(([name, value]) => [name, String(value)]);
  return { status: page.status, fields: Object.fromEntries(fields), body: page.body };
}

/** What the answer itself says: the problem's reason, or that it was let through. */
function reasonOf(answer: Answer): string {
  if (answer.fields["content-type"] !== "application/problem+json") {
    return answer.status === 200 ? "permitted" : "";
  }
  try {
    const problem = JSON.parse(answer.body) as { reason?: unknown };
    return typeof problem.reason === "string" ? problem.reason : "";
  } catch {
    return "";
  }
}

function judgeAnswer(one: Case, answer: Answer): string[] {
  const faults: string[] = [];
  if (answer.status !== one.status) faults.push(`status ${answer.status}`);
  const reason = reasonOf(answer);
  if (reason !== one.reason) faults.push(`reason ${reason === "" ? "missing" : reason}`);
  if (one.status === 401 && answer.fields["www-authenticate"] === undefined) {
    faults.push("no WWW-Authenticate");
  }
  if (one.status === 405 && answer.fields["allow"] === undefined) faults.push("no Allow");
  return faults;
}

function judgeArrival(one: Case, arrived: readonly Arrival[]): string[] {
  if (one.reaches === undefined) {
    return arrived.map(({ service, path }) => `it reached ${service}${path}`);
  }
  const [arrival, ...more] = arrived;
  if (arrival === undefined) return ["the service never saw it"];
  if (more.length > 0) return [`it arrived ${arrived.length} times`];
  const faults: string[] = [];
  if (arrival.service !== one.reaches.service || arrival.path !== one.reaches.path) {
    faults.push(`it reached ${arrival.service}${arrival.path}`);
  }
  for (const name of ["authorization", "dpop", "cookie"]) {
    if (arrival.identity[name] !== undefined) faults.push(`the service got the ${name} field`);
  }
  for (const [name, value] of Object.entries(one.headers ?? {})) {
    if (Object.values(arrival.identity).includes(value)) faults.push(`the service got ${name}`);
  }
  return faults;
}

function judgeTrail(one: Case, answer: Answer, trail: Trail): string[] {
  const id = answer.fields["sallyport-decision"];
  if (id === undefined) return ["no sallyport-decision"];
  const decision = trail.decisions.get(id);
  if (decision === undefined) return ["no decision record"];
  const faults: string[] = [];
  const expected = one.reaches === undefined ? "deny" : "permit";
  if (decision["decision"] !== expected) faults.push(`recorded as ${String(decision["decision"])}`);
  if (decision["reason"] !== one.reason) faults.push(`recorded as ${String(decision["reason"])}`);
  const completion = trail.completions.get(id);
  if (completion === undefined) {
    faults.push("no completion record");
  } else if (completion["status"] !== answer.status || completion["end"] !== "complete") {
    faults.push(`completed as ${String(completion["status"])} ${String(completion["end"])}`);
  }
  return faults;
}
