import assert from "node:assert/strict";
import { test } from "node:test";
import { adminSchema } from "../admin/admin-options.ts";
import { recordedLog } from "../../test/ports.ts";
import { openFrontDesk } from "./front-desk.ts";
import { createInstruments } from "./instruments.ts";

test("openFrontDesk() says that it starts, and 503 to whatever is not there yet", async (context) => {
  const admin = adminSchema.parse({ address: "127.0.0.1:0" });
  const desk = await openFrontDesk({ admin }, createInstruments(recordedLog()), "starting");
  context.after(() => desk.close());
  const ask = async (method: string, path: string): Promise<readonly [number, string]> => {
    const response = await fetch(`http://${desk.address}${path}`, { method });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ask("GET", "/livez"), [200, '{"status":"alive"}\n']);
  const [status, body] = await ask("GET", "/readyz");
  assert.equal(status, 503);
  assert.match(body, /"listeners":"starting"/);
  desk.waitsFor("waiting for the store: postgres://db/gate");
  assert.match((await ask("GET", "/readyz"))[1], /"listeners":"waiting for the store: postgres/);
  assert.equal((await ask("GET", "/metrics"))[0], 200);
  for (const [method, path] of [
    ["GET", "/v1/status"],
    ["POST", "/v1/revocations"],
    ["GET", "/metrics2"],
  ] as const) {
    assert.equal((await ask(method, path))[0], 503, `${method} ${path}`);
  }
});
