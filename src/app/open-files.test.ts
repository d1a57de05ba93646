import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import { configSchema } from "../config/schema.ts";
import { openFilesNeeded, warnOfOpenFiles } from "./open-files.ts";

const config = configSchema.parse({
  version: 1,
  listeners: [
    { name: "a", address: "127.0.0.1:0", limits: { connections: 500 } },
    { name: "b", address: "127.0.0.1:0", limits: { connections: 300 } },
  ],
  services: { s: { endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2"], connections: 50 } },
  routes: [{ name: "r", path: "/", service: "s", authenticate: ["anonymous"] }],
  policies: { enforce: ["policies"] },
  audit: { path: "audit" },
});

test("warnOfOpenFiles() says when connections may need more files than the system allows", () => {
  assert.equal(openFilesNeeded(config), 1000);
  const log = recordedLog();
  warnOfOpenFiles(config, log, 1000);
  assert.deepEqual(log.lines, []);
  warnOfOpenFiles(config, log, 999);
  assert.match(log.lines.join(), /^warn fewer files .*"limit":999,"needed":1000/);
});
