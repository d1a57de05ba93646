/** A whole proxy whose checkpoints are witnessed; and one that goes on from another log under the same name. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startWitness } from "../witness-server.ts";
import { startStage, until } from "./stage.ts";

test("a log that is begun anew is refused by the witness of the one before", async (t) => {
  const witness = await startWitness("witness.example");
  t.after(() => witness.close());
  const config = `  checkpoints:
    every: 200ms
    origin: log.example/edge
    witnesses: [{ type: tlog-witness, name: elsewhere, url: "${witness.url}", key: "${witness.vkey}" }]
`;
  const first = await startStage({ config });
  await (await fetch(`http://${first.proxy}/open`)).text();
  await until(() => witness.size > 0);
  const key = readFileSync(join(first.folder, "audit", "tree", "checkpoint.key"));
  await (await fetch(`http://${first.proxy}/open/2`)).text();
  await first.close();
  const held = witness.size;
  assert.ok(held >= 4, "two decisions and two completions");
  const second = await startStage({
    config: config.replace("origin:", "key: stolen.key\n    origin:"),
    secrets: { "stolen.key": key.toString() },
  });
  t.after(() => second.close());
  for (let index = 0; index < 4; index += 1) {
    await (await fetch(`http://${second.proxy}/open/other`)).text();
  }
  await second.found(({ type, event }) => type === "event" && event === "forked-log");
  await until(() => second.log().includes("a witness holds another log than this one"));
  assert.equal(witness.size, held);
  const metrics = await (await fetch(`http://${second.admin}/metrics`)).text();
  assert.match(
    metrics,
    /sallyport_audit_witness_failures_total\{witness="elsewhere",outcome="forked"\} [1-9]/,
  );
});
