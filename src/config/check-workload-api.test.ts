import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkWorkloadApiWarnings } from "./check-workload-api.ts";
import { createDraft } from "./draft.ts";

test("checkWorkloadApiWarnings() warns of a folder in which others could put a socket", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  const run = join(folder, "run");
  mkdirSync(run);
  const ask = (address: string): readonly string[] => {
    const { draft } = createDraft({ workloadApi: { address } }, new Map());
    const found = checkWorkloadApiWarnings(draft, { ownOnly: true, folder });
    return found.map(({ message }) => message);
  };
  try {
    chmodSync(run, 0o755);
    assert.deepEqual(ask("unix:run/agent.sock"), []);
    for (const mode of [0o775, 0o757, 0o1777]) {
      chmodSync(run, mode);
      const [said = "", ...more] = ask("unix:run/agent.sock");
      assert.match(said, /others can put a socket/);
      assert.ok(said.includes(`(mode ${mode.toString(8).padStart(4, "0")})`));
      assert.deepEqual(more, []);
      assert.equal(ask(`unix://${run}/agent.sock`).length, 1);
    }
    assert.deepEqual(ask("unix:none/agent.sock"), []);
    assert.deepEqual(ask("tcp://127.0.0.1:8081"), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
