/**
 * deploy/prometheus/rules.yaml by Prometheus' own tool: it is right, and each alert fires in the case that it
 * is for and is quiet in the one that is next to it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Alert } from "../tools/deploy/alert.ts";
import { ALERT_GROUPS } from "../tools/deploy/alerts.ts";
import { RECORDING_RULES } from "../tools/deploy/recording-rules.ts";
import { metricFamilies } from "../tools/docs/metric-families.ts";

const rules = fileURLToPath(new URL("../deploy/prometheus/rules.yaml", import.meta.url));
const alerts = ALERT_GROUPS.flatMap((group) => group.alerts);
const folder = mkdtempSync(join(tmpdir(), "sallyport-rules-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("every rule asks for families that there are", () => {
  const known = new Set(metricFamilies().flatMap(namesOf));
  for (const { record } of RECORDING_RULES) known.add(record);
  for (const { expr } of [...RECORDING_RULES, ...alerts]) {
    for (const [name] of expr.matchAll(/\b(?:sallyport|process)[_:][\w:]+/g)) {
      assert.ok(known.has(name), `${name} in ${expr}`);
    }
  }
});

test("each alert has its section in docs/operations.md, and each section its alert", () => {
  const page = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
  const sections = [...page.matchAll(/^### (Sallyport\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    sections,
    alerts.map(({ name }) => name),
  );
  assert.equal(new Set(sections).size, sections.length);
  const text = readFileSync(rules, "utf8");
  for (const { name } of alerts)
    assert.ok(text.includes(`operations.md#${name.toLowerCase()}"`), name);
});

test("an alert links to its section where the external label says the pages are", (context) => {
  const text = readFileSync(rules, "utf8");
  const url = /alert: SallyportDown\n[^]*?runbook_url: (".*")/.exec(text)?.[1] ?? "";
  const own = join(folder, "runbook.rules.json");
  const annotations = { runbook_url: JSON.parse(url) as string };
  const rule = { alert: "SallyportDown", expr: "up == 0", annotations };
  writeFileSync(own, JSON.stringify({ groups: [{ name: "a", rules: [rule] }] }));
  const linked = (labels: object, link: string): object => ({
    interval: "1m",
    external_labels: labels,
    input_series: [{ series: "up", values: "0x5" }],
    alert_rule_test: [
      {
        eval_time: "2m",
        alertname: "SallyportDown",
        exp_alerts: [{ exp_annotations: { runbook_url: link } }],
      },
    ],
  });
  const base = "https://wiki.example/sallyport/docs";
  const tests = [
    linked({ sallyport_docs: base }, `${base}/operations.md#sallyportdown`),
    linked({}, "docs/operations.md#sallyportdown"),
  ];
  const file = join(folder, "runbook.json");
  writeFileSync(file, JSON.stringify({ rule_files: [own], evaluation_interval: "1m", tests }));
  const { status, output } = promtool(context, ["test", "rules", file]);
  assert.equal(status, 0, output);
});

test("promtool finds nothing wrong with the rules", (context) => {
  const { status, output } = promtool(context, ["check", "rules", rules]);
  assert.equal(status, 0, output);
});

test("each alert fires when it should, and not otherwise", (context) => {
  if (process.versions["bun"] !== undefined) {
    return context.diagnostic("on Node only: it is promtool that does the work, not the runtime");
  }
  // Each with its own rules only: with all of them in each case it takes two minutes.
  const files = alerts.map((alert) => {
    const own = join(folder, `${alert.name}.rules.json`);
    const file = join(folder, `${alert.name}.json`);
    const { name, expr, for: lasting } = alert;
    const recorded = expr.includes("sallyport:") ? RECORDING_RULES : [];
    const rulesOf = [...recorded, { alert: name, expr, for: lasting }];
    // JSON is YAML.
    writeFileSync(own, JSON.stringify({ groups: [{ name, rules: rulesOf }] }));
    const tests = [caseOf(alert, "fires"), caseOf(alert, "quiet")];
    writeFileSync(file, JSON.stringify({ rule_files: [own], evaluation_interval: "1m", tests }));
    return file;
  });
  const { status, output } = promtool(context, ["test", "rules", ...files]);
  assert.equal(status, 0, output);
});

function caseOf({ name, at = "20m", ...alert }: Alert, which: "fires" | "quiet"): object {
  const labels = `{alertname="${name}",alertstate="firing"}`;
  return {
    name: `${name} ${which}`,
    interval: "1m",
    input_series: Object.entries(alert[which]).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: `group(ALERTS${labels})`,
        eval_time: at,
        exp_samples: which === "fires" ? [{ labels: "{}", value: 1 }] : [],
      },
    ],
  };
}

/** Names of the series of a family. */
function namesOf({ name, type }: ReturnType<typeof metricFamilies>[number]): readonly string[] {
  return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

function promtool(
  context: TestContext,
  args: readonly string[],
): { readonly status: number | null; readonly output: string } {
  const { error, status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  if (error !== undefined) {
    context.diagnostic("skipped: there is no promtool here (Debian: prometheus)");
    return { status: 0, output: "" };
  }
  return { status, output: stdout + stderr };
}
