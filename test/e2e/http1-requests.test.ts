/**
 * The hostile requests of gunicorn and llhttp, end to end. Each is judged by what it does: nothing
 * that reads two ways reaches the service. Beyond that, what reads strictly by RFC 9112 is answered
 * with 200 and what does not is refused, save the cases that are listed with their reasons.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, arrivalsOf, statusesOf } from "./expect.ts";
import { gunicornRequests, llhttpMessages, type ForeignMessage } from "./foreign-cases.ts";
import { STRICTER } from "./http1-deviations.ts";
import { startStage, type Stage } from "./stage.ts";
import { readRequests } from "./strict-http1.ts";

const sets: Readonly<Record<string, readonly ForeignMessage[] | undefined>> = {
  gunicorn: gunicornRequests(),
  llhttp: llhttpMessages("request"),
};
let stage: Stage | undefined;
after(() => stage?.close());

for (const [corpus, cases] of Object.entries(sets)) {
  if (cases === undefined) {
    test(`${corpus}: requests`, { skip: "the corpora are not here" }, () => undefined);
    continue;
  }
  stage ??= await startStage();
  const started = stage;
  for (const one of cases) {
    test(`${corpus}: ${one.name}`, async () => judgeCase(corpus, one, started));
  }
}

async function judgeCase(corpus: string, one: ForeignMessage, on: Stage): Promise<void> {
  const strict = readRequests(one.bytes);
  // What would swallow the sentinel as its body can only be ended by the caller.
  const cutOff = readRequests(`${one.bytes}GET / HTTP/1.1\r\nHost: a\r\n\r\n`).end === "incomplete";
  const evidence = await on.attack(one.bytes, { cutOff });
  assertHarmless(evidence);
  const arrived = arrivalsOf(evidence).filter(({ target }) => !target.startsWith("/sentinel"));
  const stricter = STRICTER[`${corpus}: ${one.name}`];
  const statuses = statusesOf(evidence);
  if (stricter !== undefined) {
    assert.equal(
      statuses.find((status) => status !== 200),
      stricter.status,
      stricter.why,
    );
  } else if (strict.end === "invalid") {
    assert.ok(arrived.length <= strict.messages.length, "what reads as invalid arrived");
    assert.ok(statuses.some((status) => status >= 400));
  } else {
    assert.deepEqual(
      arrived.map(({ method }) => method),
      strict.messages.map(({ method }) => method),
    );
    assert.deepEqual(
      arrived.map(({ body }) => body),
      strict.messages.map(({ body }) => body),
    );
  }
}
