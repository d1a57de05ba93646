/** docs/audit.md says what the source does: members, examples, names, limits. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SECRET_NAMES } from "../src/audit/query-mask.ts";
import {
  completionSchema,
  decisionSchema,
  eventSchema,
  summarySchema,
} from "../src/audit/record-schema.ts";
import { EVENTS } from "../src/model/events.ts";
import { RECORD_LIMITS } from "../src/audit/serialize.ts";
import { canonicalJson, checkedRecord } from "./audit-kit.ts";

const text = readFileSync(new URL("../docs/audit.md", import.meta.url), "utf8");
const schemas = {
  decision: decisionSchema,
  completion: completionSchema,
  summary: summarySchema,
  event: eventSchema,
};

for (const [type, schema] of Object.entries(schemas)) {
  const section = text.split(`\n## \`${type}\`\n`)[1]?.split("\n## ")[0] ?? "";

  test(`docs/audit.md lists exactly the members of a ${type}`, () => {
    const documented = [...section.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(
      ([, names = ""]) => [...names.matchAll(/\w+/g)].map(([name]) => name),
    );
    assert.deepEqual(documented.toSorted(), Object.keys(schema.shape).toSorted());
  });

  test(`docs/audit.md has canonical records as examples of a ${type}`, () => {
    const lines = /```json\n([\s\S]+?)\n```/.exec(section)?.[1]?.split("\n") ?? [];
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.equal(checkedRecord(line).type, type);
      assert.equal(line, canonicalJson(JSON.parse(line)));
    }
  });
}

test("docs/audit.md says of each event what it means", () => {
  const section = text.split("\n## `event`\n")[1]?.split("\n## ")[0] ?? "";
  const listed = [...section.matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)];
  const events = Object.entries(EVENTS).map(([name, meaning]) => [name, meaning]);
  const named = listed.map(([, name = "", meaning = ""]) => [name, meaning]);
  assert.deepEqual(
    named.filter(([name = ""]) => name in EVENTS),
    events,
  );
});

test("docs/audit.md lists the names whose values are never kept, and the limits", () => {
  const list = /Under these names[\s\S]+?;/.exec(text)?.[0] ?? "";
  const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  assert.deepEqual(listed.toSorted(), [...SECRET_NAMES].toSorted());
  const { target, strangerTarget, field, requestId, line } = RECORD_LIMITS;
  const cuts =
    /`path` and `query` are cut at (\d+) characters \((\d+) for strangers\).+ at (\d+), `requestId` at (\d+)/;
  assert.deepEqual(cuts.exec(text)?.slice(1).map(Number), [
    target,
    strangerTarget,
    field,
    requestId,
  ]);
  assert.ok(text.includes(`more than ${line / 1024} KiB`));
});
