import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/audit-kit.ts";
import { generateLog } from "../../test/tree-log.ts";
import { parseCheckpointLine } from "../audit/tree/checkpoint-lines.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { auditCheckpoint } from "./audit-checkpoint.ts";
import { auditVerify } from "./audit-verify.ts";

test("checkpoint prints the note that is asked for, which verify takes", async (t) => {
  const home = await temporaryFolder(t);
  const folder = join(home, "audit");
  await generateLog(folder, { records: 200, perSegment: 100, every: 70 });
  const path = join(folder, "tree/checkpoints.jsonl");
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1).map(parseCheckpointLine);
  const [text, hints]: [string[], string[]] = [[], []];
  const said = {
    write: (some: string) => void text.push(some),
    hint: (line: string) => void hints.push(line),
  };
  const asked = (size?: string) => auditCheckpoint({ config: "", audit: folder, size }, said);
  assert.equal(asked(), 0);
  assert.equal(text.pop(), lines.at(-1)?.note);
  const [first, second] = lines;
  assert.equal(asked(String(first?.size)), 0);
  const note = text.pop() ?? "";
  assert.equal(note, first?.note);
  assert.equal(asked(String((first?.size ?? 0) + 1)), 1);
  assert.match(hints.pop() ?? "", new RegExp(`of ${first?.size} and ${second?.size}$`));
  assert.throws(() => asked("all"), ConfigError);

  const file = join(home, "checkpoint.txt");
  writeFileSync(file, note);
  const options = { config: "", checkpoint: [file], witness: [], format: "text" } as const;
  const key = [join(folder, "tree/checkpoint.pub")];
  assert.equal(await auditVerify(folder, { ...options, key }, said), 0);
  assert.match(text.pop() ?? "", /begins with the kept checkpoint .*checkpoint\.txt of/);

  appendFileSync(path, "{}\n");
  assert.throws(() => asked(), SallyportError);
  writeFileSync(path, "");
  assert.equal(asked(), 1);
  assert.match(hints.pop() ?? "", /nothing is sealed/);
});
