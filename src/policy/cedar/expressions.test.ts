/**
 * Every operator with its edges and its errors, one condition a line, asked of the official engine and of
 * ours over the same entities. What generated cases (oracle.test.ts) meet by chance, this meets each time.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { createAuthorizer } from "./authorizer.ts";
import type { EntityJson } from "./entity-store.ts";
import { officialIsAuthorized } from "../official/official-engine.ts";

const ENTITIES: EntityJson[] = [
  {
    uid: { type: "User", id: "alice" },
    attrs: {
      age: 30,
      name: "Alice",
      boss: { __entity: { type: "User", id: "bob" } },
      ghost: { __entity: { type: "User", id: "nobody" } },
      record: { a: { b: { c: 1 } }, "x y": true },
      list: [1, 2, 2, "a"],
      friends: [{ __entity: { type: "User", id: "bob" } }, { __entity: { type: "User", id: "x" } }],
    },
    tags: { t: ["1"], "t t": 5 },
    parents: [{ type: "Group", id: "staff" }],
  },
  { uid: { type: "User", id: "bob" }, attrs: { age: 50 }, parents: [] },
  {
    uid: { type: "Group", id: "staff" },
    attrs: {},
    parents: [{ type: "Group", id: "all" }],
  },
  {
    uid: { type: "Group", id: "all" },
    attrs: {},
    parents: [{ type: "Group", id: "unlisted" }],
  },
];

const QUESTION = {
  principal: { type: "User", id: "alice" },
  action: { type: "Action", id: "read" },
  resource: { type: "Doc", id: "missing" },
  context: {
    n: 5,
    s: "text",
    yes: true,
    r: { a: 1 },
    set: [],
    ip: { __extn: { fn: "ip", arg: "10.0.0.1" } },
  },
  entities: ENTITIES,
};

/** Grouped by what the condition comes to. */
const CONDITIONS = {
  holds: [
    'context.yes && context.n == 5 && context.s == "text" && true',
    "false || false || context.yes || context.nope",
    "false && context.nope || true",
    "true || 1 == context.nope",
    '!(false && (1 + "a" == 2))',
    "if context.yes then true else context.nope",
    '(if context.n > 4 then 1 else "x") == 1',
    '1 != "1" && principal != resource && [] != {}',
    "1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2 && !(2 < 2) && !(2 > 2)",
    "context.n * -2 + 3 - 1 == -8 && -context.n == -5",
    "9223372036854775806 + 1 == 9223372036854775807",
    'principal in Group::"unlisted" && principal in Group::"all" && principal in principal',
    "resource in resource && !(resource in principal)",
    'principal in [Group::"x", Group::"staff"] && !(principal in [])',
    'principal.boss in principal.friends && !(principal.boss in Group::"staff")',
    'principal is User && !(principal is Group) && principal is User in Group::"all"',
    '!(principal is Group in Group::"all") && !(principal is Group in User::"alice")',
    "!(principal is Group in 1)",
    "principal has age && !(principal has nope) && !(resource has age)",
    "principal has record.a.b.c && !(principal has record.z.b) && !(principal has nope.b.c)",
    "principal has boss.age && !(principal has ghost.age) && principal has ghost",
    'principal["record"]["x y"] && {a: {b: 2}}.a.b == 2',
    "context has r && context has r.a && !(context has nope)",
    'principal.hasTag("t") && principal.getTag("t").contains("1") && principal.getTag("t t") == 5',
    '!principal.hasTag("age") && !resource.hasTag("t") && !(principal has t)',
    'principal.list.contains(2) && !principal.list.contains("2") && principal.list == ["a", 2, 1]',
    'principal.list.containsAll([1, "a"]) && principal.list.containsAll([])',
    'principal.list.containsAny([9, "a"]) && !principal.list.containsAny([])',
    "[].isEmpty() && context.set.isEmpty() && !principal.list.isEmpty()",
    "[1, 1, [2, 2]] == [[2], 1] && {a: 1, b: [2, 1]} == {b: [1, 2], a: 1}",
    'principal.name like "A*e" && "a*b" like "a\\*b" && !("axb" like "a\\*b") && "" like "*"',
    'context.ip.isInRange(ip("10.0.0.0/8")) && context.ip.isIpv4() && !context.ip.isIpv6()',
    'decimal("1.1").lessThan(decimal("1.11")) && decimal("1.10") == decimal("1.1")',
    'decimal("2.0").greaterThanOrEqual(decimal("2.0")) && !decimal("2.0").greaterThan(decimal("2.0"))',
    'datetime("2024-01-01").offset(duration("1d")) == datetime("2024-01-02")',
    'datetime("2024-01-01") < datetime("2024-01-02") && duration("1h") >= duration("60m")',
    'duration("-90s").toMinutes() == -1 && duration("1d").toHours() == 24',
    'datetime("1969-12-31T23:00:00Z").toTime() == duration("23h")',
    'true || ip("nonsense") == ip("nonsense")',
    'User::"alice".age == 30 && User::"bob".age == 50',
  ],
  fails: [
    "context.nope",
    "resource.age == 1",
    "principal.ghost.age == 1",
    "1",
    '"true" && true',
    "true && 1",
    "true && true && 1",
    "true && 1 && false",
    "1 && true && true",
    "false || 1",
    'false || false || "x"',
    "!1",
    "if 1 then true else true",
    '1 < "2"',
    '1 < decimal("2.0")',
    'datetime("2024-01-01") < duration("1d")',
    'decimal("1.0") < decimal("2.0")',
    "true < false",
    '1 + "a" == 2',
    '-"a" == 1',
    "9223372036854775807 + 1 == 0",
    "-9223372036854775808 - 1 == 0",
    "4611686018427387904 * 2 == 0",
    "-(-9223372036854775808) == 0",
    "1 in principal",
    "principal in 1",
    "principal in [principal, 1]",
    'principal in [1, Group::"staff"]',
    "principal is User in 1",
    "1 is User",
    "1 has a",
    "principal has age.b",
    "context has n.b",
    "context.r.b == 1",
    "context.n.b == 1",
    'principal.getTag("nope") == 1',
    'resource.getTag("t") == 1',
    "principal.hasTag(1)",
    'context.hasTag("t")',
    "principal.getTag(1) == 1",
    '1 like "*"',
    "context.contains(1)",
    "[1].containsAll(1)",
    "1.containsAny([1])",
    "principal.isEmpty()",
    "[context.nope] == []",
    "{a: context.nope} == {}",
    'ip("1.2.3.4/33").isIpv4()',
    'ip("nonsense") == ip("nonsense") || true',
    "ip(context.n).isIpv4()",
    "context.n.isIpv4()",
    'ip("::1").isInRange(1)',
    'decimal("1") == 1',
    'datetime("2024-01-01").offset(1) == 1',
    'datetime("2024-01-01").durationSince(duration("1d")) == 1',
    'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == 1',
    'duration("1x").toDays() == 1',
    "1.toDays() == 1",
    'ip("1.2.3.4").isIpv4(1)',
  ],
  "does not hold": [
    "false",
    "!(context.yes)",
    "context.yes && context.n == 4 && context.nope",
    "principal in resource",
    'resource in Group::"all"',
    'resource is Doc in Group::"all"',
    'principal is Group in Group::"all"',
    "true == 1",
    "[1, 2] == [1]",
    "{a: 1} == {a: 1, b: 1}",
    "{a: 1, c: 1} == {a: 1, b: 1}",
  ],
} as const;

for (const [outcome, conditions] of Object.entries(CONDITIONS)) {
  void test(`what ${outcome} in Cedar ${outcome} here`, () => {
    for (const condition of conditions) {
      const text = `permit (principal, action, resource) when { ${condition} };`;
      const expected = {
        decision: outcome === "holds" ? "allow" : "deny",
        determining: outcome === "holds" ? ["p"] : [],
        erroring: outcome === "fails" ? ["p"] : [],
      };
      const official = officialIsAuthorized(QUESTION, { policies: { p: text } });
      assert.deepEqual(official.value, expected, `official: ${condition}`);
      const ours = createAuthorizer({ policies: new Map([["p", policyJsonOf(text)]]) });
      assert.deepEqual(ours.isAuthorized(QUESTION), expected, `ours: ${condition}`);
    }
  });
}
