/**
 * The real Prometheus looks at a proxy under load, one that follows it and a sidecar, and is asked everything that rules
 * and dashboards ask: no question may be wrong, and each has to bring what moves, save what stands at 0 while all is well.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ALERT_GROUPS } from "../../tools/deploy/alerts.ts";
import type { Panel } from "../../tools/deploy/dashboard.ts";
import { DASHBOARDS } from "../../tools/deploy/dashboards.ts";
import { VARIABLES } from "../../tools/deploy/grafana-file.ts";
import { metricFamilies } from "../../tools/docs/metric-families.ts";
import { readOpenMetrics } from "../openmetrics.ts";
import { type Ground, startGround } from "./ground.ts";
import {
  type Answer,
  filledIn,
  missingPrometheus,
  type Prometheus,
  shownBy,
  startPrometheus,
} from "./prometheus.ts";

const LIMITS = {
  /** Seconds of data: a rate over a quarter of a minute, twice. */
  seconds: 30,
  /** Seconds over which rates are asked for. */
  interval: 15,
  /** Milliseconds until they are there, on a busy machine. */
  wait: 180_000,
} as const;

/** Their figures have to be there and to stand at 0: nothing of ours may fail here. */
const STILL: ReadonlySet<string> = new Set([
  "Our own errors",
  "Policy errors",
  "Lost",
  "Only counted",
  "Failures",
]);

/** The store here is SQLite, so that this test wants nothing more than Prometheus. */
const OF_POSTGRES = /\bsallyport_store_connections\b/;

const reason =
  missingPrometheus() ??
  // What is exposed is the same on both (src/telemetry has the tests); Prometheus does the work, for a minute.
  (process.versions["bun"] === undefined ? undefined : "on Node only");

const ends: (() => Promise<void> | void)[] = [];
const context = { after: (end: () => Promise<void> | void) => void ends.push(end) } as Parameters<
  typeof startGround
>[0];
let ground: Ground;
let prometheus: Prometheus;
let loads = false;

before(
  async () => {
    if (reason !== undefined) return;
    ground = await startGround(context);
    prometheus = await startPrometheus(
      context,
      ground.processes.map(({ admin }) => admin),
    );
    loads = true;
    const deadline = performance.now() + LIMITS.wait;
    const load = ground.load(() => loads);
    const scrapes = async (): Promise<number> => {
      const { result } = await prometheus.query("min(count_over_time(up[5m]))");
      return Number(result[0]?.value?.[1] ?? 0);
    };
    while ((await scrapes()) < LIMITS.seconds) {
      if (performance.now() > deadline) throw new Error("Prometheus does not scrape");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    loads = false;
    await load;
  },
  { timeout: LIMITS.wait + 120_000 },
);

after(
  async () => {
    loads = false;
    for (const end of ends.toReversed()) await end();
  },
  { timeout: 60_000 },
);

test("every scrape is taken", async (t) => {
  if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
  const { result } = await prometheus.query("up");
  assert.deepEqual(
    result.map(({ value }) => value?.[1]),
    ground.processes.map(() => "1"),
  );
});

test("a proxy, its authority, one that follows it and a sidecar expose what docs/metrics.md lists, as it lists it", async (t) => {
  if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
  const listed = new Map(
    metricFamilies().map((family) => [family.name.replace(/_total$/, ""), family]),
  );
  for (const { admin } of ground.processes) {
    const answer = await fetch(`http://${admin}/metrics`, {
      headers: { accept: "application/openmetrics-text" },
    });
    const families = readOpenMetrics(await answer.text());
    assert.ok(families.length > 40, admin);
    for (const { name, type, help, samples } of families) {
      const family = listed.get(name);
      assert.equal(type, family?.type, name);
      assert.equal(help, family?.help.replaceAll("\\", "\\\\").replaceAll('"', '\\"'), name);
      for (const { labels } of samples) {
        assert.deepEqual(
          [...labels.keys()].filter((label) => label !== "le"),
          family?.labels,
          name,
        );
      }
    }
  }
});

test("exemplars name decisions that are on record", async (t) => {
  if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
  const now = Date.now() / 1000;
  const found = (await prometheus.get("query_exemplars", {
    query: "sallyport_gate_seconds_bucket",
    start: String(now - 300),
    end: String(now),
  })) as { readonly exemplars: readonly { readonly labels: { readonly decision?: string } }[] }[];
  const ids = found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.decision));
  assert.ok(ids.length > 0);
  const records = ground.processes.flatMap((process) => process.records());
  const recorded = new Set(records.map(({ decisionId }) => decisionId));
  for (const id of ids) assert.ok(recorded.has(id), id ?? "an exemplar without a decision");
});

test("Prometheus evaluates every rule without an error", async (t) => {
  if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
  const { groups } = (await prometheus.get("rules")) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly name: string;
        readonly health: string;
        readonly lastError?: string;
      }[];
    }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length > 60);
  for (const { name, health, lastError } of rules)
    assert.equal(health, "ok", `${name}: ${lastError ?? ""}`);
  for (const { name, expr } of ALERT_GROUPS.flatMap((group) => group.alerts)) {
    await assert.doesNotReject(prometheus.query(expr), name);
  }
  const { result } = await prometheus.query(
    'ALERTS{alertname="SallyportServiceDown",service="away"}',
  );
  assert.equal(result.length, 1, "the service that is down");
  const certificates = await prometheus.query(
    'ALERTS{alertname=~"Sallyport.*(Certificate|Identity).*"}',
  );
  assert.deepEqual(certificates.result, [], "no certificate expires here");
});

for (const dashboard of DASHBOARDS) {
  test(
    `each panel of ${dashboard.title} shows all that it asks for`,
    { timeout: 60_000 },
    async (t) => {
      if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
      const to = Math.floor(Date.now() / 1000);
      const span = { from: to - LIMITS.seconds - 10, to, step: 1 };
      const found: string[] = [];
      const wanted: string[] = [];
      for (const panel of dashboard.rows.flatMap(({ panels }) => panels)) {
        for (const { expr, legend } of panel.queries) {
          const asked = `${panel.title} (${legend})`;
          found.push(`${asked}: ${shownBy(await answerTo(panel, expr, span))}`);
          const empty = OF_POSTGRES.test(expr);
          wanted.push(
            `${asked}: ${empty ? "nothing" : STILL.has(panel.title) ? "0" : "something"}`,
          );
        }
      }
      assert.deepEqual(found, wanted);
    },
  );
}

test("each variable of the dashboards has values", async (t) => {
  if (reason !== undefined) return t.diagnostic(`skipped: ${reason}`);
  for (const [name, query] of VARIABLES) {
    const [, series = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
    const values = (await prometheus.get(`label/${label}/values`, {
      "match[]": filledIn(series, 0),
    })) as string[];
    assert.ok(values.length > 0, name);
  }
});

async function answerTo(
  { kind }: Panel,
  expr: string,
  span: Parameters<Prometheus["range"]>[1],
): Promise<Answer> {
  const asked = filledIn(expr, LIMITS.interval);
  return kind === "table" ? await prometheus.query(asked) : await prometheus.range(asked, span);
}
