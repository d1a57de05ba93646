/**
 * Judges one answer of a service that has gone rogue, end to end. The caller gets one answer and never
 * two: the service's where it reads strictly, else a 502, or a connection that is cut where the answer
 * had begun. The next request, on the same connection and on a new one, gets its own.
 */
import { strict as assert } from "node:assert";
import { RawConnection } from "./raw-connection.ts";
import { ordinaryAnswer } from "./recording-service.ts";
import { requestBytes, type Stage } from "./stage.ts";
import { readResponses, type StrictResponse } from "./strict-http1.ts";

const ROGUE = "/rogue";
const BAD_GATEWAY = 502;

export async function judgeResponse(
  bytes: string,
  context: {
    readonly stage: Stage;
    /** The status of an answer that does not read strictly and is passed on on purpose. */
    readonly lenient?: number | undefined;
    /** Whether it may be refused though it reads strictly: a stricter choice, listed elsewhere. */
    readonly stricter?: boolean;
    /** Of the request that it answers; GET when left out. */
    readonly method?: string;
  },
): Promise<void> {
  const { lenient, stricter = false, method = "GET" } = context;
  const { service, proxy } = context.stage;
  service.script((request) =>
    request.target === ROGUE ? { bytes, close: true } : ordinaryAnswer(request),
  );
  const connection = await RawConnection.open(proxy);
  const length = method === "POST" ? ["Content-Length: 0"] : [];
  connection.write(requestBytes(ROGUE, length).replace("GET", method));
  const answers = (): readonly StrictResponse[] =>
    readResponses(connection.text, [method, "GET"], connection.closed).messages.filter(
      ({ status }) => status >= 200,
    );
  await connection.until(() => connection.closed || answers().length > 0);
  const [first, ...others] = answers();
  assert.deepEqual(others, [], "two answers to one request");

  const strict = readResponses(bytes, [method], true);
  const final = strict.messages.findIndex(({ status }) => status >= 200);
  const promised = strict.messages[final];
  // Bytes behind an answer that nobody asked for: it may be taken for a fault or left alone.
  const more = strict.end !== "complete" || strict.messages.length > final + 1;
  if (promised !== undefined && !((more || stricter) && first?.status === BAD_GATEWAY)) {
    assert.equal(first?.status, promised.status);
    assert.equal(first.body, promised.body);
  } else if (first !== undefined) {
    const right = first.status === BAD_GATEWAY || first.status === lenient;
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
