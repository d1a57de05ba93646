import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { checkTracing, checkTracingWarnings } from "./check-tracing.ts";
import { createDraft, type Draft } from "./draft.ts";

function draftOf(tracing: object, otlp: object = {}): Draft {
  const { draft, problems } = createDraft(
    {
      version: 1,
      listeners: [{ name: "edge", address: "127.0.0.1:0" }],
      services: {},
      routes: [],
      policies: { enforce: ["policies"] },
      audit: { path: "audit" },
      tracing: { otlp: { endpoint: "http://127.0.0.1:4318", ...otlp }, ...tracing },
    },
    new Map(),
  );
  assert.deepEqual(problems, []);
  return draft;
}

test("checkTracing() refuses to believe a listener that there is not", () => {
  assert.deepEqual(checkTracing(draftOf({ trustIncoming: ["edge", "admin"] }), "."), []);
  assert.deepEqual(checkTracing(draftOf({ trustIncoming: true }), "."), []);
  assert.deepEqual(checkTracing(draftOf({ trustIncoming: ["edge", "egde"] }), "."), [
    {
      path: ["tracing", "trustIncoming", 1],
      message: 'there is no listener "egde"',
      remedy: "edge, admin, admin-socket",
    },
  ]);
});

test("checkTracing() refuses a file of authorities that cannot be used", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-tracing-"));
  try {
    writeFileSync(join(folder, "good.pem"), createRoot("Collector").pem);
    writeFileSync(join(folder, "bad.pem"), "nothing");
    const problems = (ca: string) => checkTracing(draftOf({}, { ca }), folder);
    assert.deepEqual(problems("good.pem"), []);
    for (const ca of ["bad.pem", "absent.pem"]) {
      assert.deepEqual(
        problems(ca).map(({ path }) => path),
        [["tracing", "otlp", "ca"]],
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("checkTracingWarnings() says that traces cross the network in clear", () => {
  assert.deepEqual(checkTracingWarnings(draftOf({})), []);
  const [warning] = checkTracingWarnings(draftOf({}, { insecureHttp: true }));
  assert.deepEqual(warning?.path, ["tracing", "otlp", "insecureHttp"]);
});
