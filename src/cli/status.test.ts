import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status } from "./admin-client.ts";
import { statusText } from "./status.ts";

const STATUS: Status = {
  version: "0.1.0",
  runtime: "test 1",
  role: "proxy",
  pid: 1,
  started: "2026-06-01T12:00:00.000Z",
  uptimeSeconds: 1,
  ready: true,
  checks: {},
  config: { hash: "sha256-x", since: "2026-06-01T12:00:00.000Z" },
  listeners: [],
  workers: { serving: 1, wanted: 1 },
  counts: { routes: 0, services: 0, authenticators: 0 },
};

test("statusText() says that nothing was heard yet, of whom, and why", () => {
  const text = statusText({
    ...STATUS,
    feed: { epoch: "e", number: 52, maxStalenessSeconds: 10 },
    follows: {
      connected: false,
      authority: "https://authority.internal:9443",
      bundle: "running",
      lastError: "connect ECONNREFUSED",
      name: "edge-1",
      identityUntil: "2026-06-02T12:00:00.000Z",
    },
    serves: "0.0.0.0:9444",
  });
  assert.match(text, /^feed +change 52, not heard yet$/m);
  assert.match(text, /^follows +https:\/\/authority\.internal:9443, NOT CONNECTED$/m);
  assert.match(text, /^ {2}last error +connect ECONNREFUSED$/m);
  assert.match(text, /^bundle +running$/m);
  assert.match(text, /^enrolled as +edge-1, until 2026-06-02T12:00:00\.000Z$/m);
  assert.match(text, /^serves machines +0\.0\.0\.0:9444$/m);
});

test("statusText() says how old what was heard is", () => {
  const feed = { epoch: "e", number: 52, asOf: STATUS.started, stalenessSeconds: 0.25 };
  const text = statusText({ ...STATUS, feed: { ...feed, maxStalenessSeconds: 10 } });
  assert.match(text, /^feed +change 52, 0\.3s old, at most 10s$/m);
  assert.doesNotMatch(text, /follows|enrolled as|serves machines/);
});
