/**
 * The other direction: a service that was taken over writes the fields in which the proxy speaks to
 * callers, or names them in Connection so that the proxy takes its own off, or asks for an upgrade
 * that nobody decided about. The caller gets one decision id, and it is ours.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { RawConnection } from "../e2e/raw-connection.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";
import { readResponses, valuesOf } from "../e2e/strict-http1.ts";

const stage = await startStage();
after(() => stage.close());

const FORGERIES: readonly [name: string, lines: string][] = [
  ["a decision", "Sallyport-Decision: forged"],
  ["two decisions", "Sallyport-Decision: forged\r\nsallyport-decision: forged"],
  ["a decision with an underscore", "Sallyport_Decision: forged"],
  ["Connection that names the decision", "Connection: sallyport-decision"],
  ["an assertion", "X-Sallyport-Assertion: forged"],
  ["hop-by-hop fields", "Connection: x-forged\r\nX-Forged: forged\r\nKeep-Alive: forged=1"],
];

for (const [name, lines] of FORGERIES) {
  test(`a service cannot forge ${name}`, async () => {
    stage.service.script(() => ({
      bytes: `HTTP/1.1 200 OK\r\n${lines}\r\nContent-Length: 2\r\n\r\nok`,
    }));
    const connection = await RawConnection.open(stage.proxy);
    connection.write(requestBytes("/open", ["Connection: close"]));
    await connection.until(() => connection.closed);
    const reading = readResponses(connection.text, ["GET"], true);
    assert.equal(reading.end, "complete");
    const [answer] = reading.messages;
    assert.ok(answer !== undefined);
    assert.equal(valuesOf(answer, "sallyport-decision").length, 1);
    assert.doesNotMatch(connection.text, /forged/i);
  });
}

test("a 101 that nobody asked for is a 502, and its bytes reach no caller", async () => {
  stage.service.script(() => ({
    bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw bytes",
  }));
  const connection = await RawConnection.open(stage.proxy);
  connection.write(requestBytes("/open", ["Connection: close"]));
  await connection.until(() => connection.closed);
  const [answer] = readResponses(connection.text, ["GET"], true).messages;
  assert.equal(answer?.status, 502);
  assert.doesNotMatch(connection.text, /raw bytes/);
});
