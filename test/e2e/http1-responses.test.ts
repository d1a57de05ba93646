/**
 * The hostile responses of llhttp's tests, from a service that has gone rogue. The caller gets one
 * answer and never two: the service's where it reads strictly, else a 502, or a connection that is
 * cut where the answer had begun. The next request gets its own.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { corpusResponses } from "../conformance/http1-verdicts.ts";
import { RawConnection } from "./raw-connection.ts";
import { ordinaryAnswer } from "./recording-service.ts";
import { requestBytes, startStage, type Stage } from "./stage.ts";
import { readResponses, type StrictResponse } from "./strict-http1.ts";

/** Does not read strictly and is passed on all the same, each with the reason. */
const LENIENT: Readonly<Record<string, { readonly status: number; readonly why: string }>> = {
  "llhttp:response/sample.md#No reason phrase": {
    status: 301,
    why: "no space after the status: common, one reading only, and the line is written anew",
  },
};

const ROGUE = "/rogue";
const BAD_GATEWAY = 502;
const cases = corpusResponses();
const stage = cases === undefined ? undefined : await startStage();
after(() => stage?.close());

if (cases === undefined || stage === undefined) {
  test("llhttp: responses", { skip: "the corpora are not here" }, () => undefined);
} else {
  for (const { id, given, mended } of cases) {
    test(`${id}, as it is`, () => judgeResponse(id, given.toString("latin1"), stage));
    if (given.equals(mended)) continue;
    test(`${id}, mended`, () => judgeResponse(id, mended.toString("latin1"), stage));
  }
}

async function judgeResponse(id: string, bytes: string, { service, proxy }: Stage): Promise<void> {
  service.script((request) =>
    request.target === ROGUE ? { bytes, close: true } : ordinaryAnswer(request),
  );
  const connection = await RawConnection.open(proxy);
  connection.write(requestBytes(ROGUE));
  const answers = (): readonly StrictResponse[] =>
    readResponses(connection.text, ["GET", "GET"], connection.closed).messages.filter(
      ({ status }) => status >= 200,
    );
  await connection.until(() => connection.closed || answers().length > 0);
  const [first, ...others] = answers();
  assert.deepEqual(others, [], "two answers to one request");

  const strict = readResponses(bytes, ["GET"], true);
  const final = strict.messages.findIndex(({ status }) => status >= 200);
  const promised = strict.messages[final];
  // Bytes behind an answer that nobody asked for: it may be taken for a fault or left alone.
  const more = strict.end !== "complete" || strict.messages.length > final + 1;
  if (promised !== undefined && !(more && first?.status === BAD_GATEWAY)) {
    assert.equal(first?.status, promised.status);
    assert.equal(first.body, promised.body);
  } else if (first !== undefined) {
    const lenient = LENIENT[id];
    const right = first.status === BAD_GATEWAY || first.status === lenient?.status;
    assert.ok(right, `it is invalid, and was passed on with ${first.status}`);
  } else {
    assert.ok(connection.closed, "an answer that breaks off closes the connection");
  }

  // The same connection, where it still stands, and then a new one: each gets its own answer.
  for (const target of ["/after", "/anew"]) {
    const next =
      target === "/after" && !connection.closed ? connection : await RawConnection.open(proxy);
    const before = next.text.length;
    next.write(requestBytes(target, ["Connection: close"]));
    await next.until(() => next.closed);
    const own = readResponses(next.text.slice(before), ["GET"], true);
    assert.equal(own.end, "complete");
    assert.equal(own.messages.length, 1);
    assert.equal((JSON.parse(own.messages[0]?.body ?? "") as { target: string }).target, target);
  }
  connection.destroy();
}
