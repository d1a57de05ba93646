import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { signalOf } from "./metric-catalogue.ts";
import { familiesOf, metricFamilies } from "./metric-families.ts";

test("familiesOf() reads names, helps and labels as calls have them", () => {
  const source = `
const labels = ["route", "why"];
metrics.counter("sallyport_a", "Said \\"so\\" (really)", ["one", "two"]).with("x", "y");
metrics.counter("sallyport_b_total", "B.", labels);
metrics.gauge("sallyport_c", "C.").with();
metrics.histogram(
  "sallyport_d_seconds",
  "D.",
  { buckets: BUCKETS, labels },
);
metrics.sampled("sallyport_e", "E.", () => f("not", ["a", "label"]));
metrics.sampledEach("sallyport_f", "F.", { labels: ["x"], read: () => [] });
metrics.info("sallyport_g_info", "G.", "hash", () => detail.hash);
const each = (name: string, help: string, read: () => number): void =>
  metrics.sampledEach(name, help, {
    labels: ["witness"],
    read: () => [{ labels: ["w"], value: read() }],
  });
each("sallyport_i", "I.", ({ x }) => x);
other("sallyport_j", "No metric.");
const told = (what: string, help: string) => deps.metrics.counter(\`sallyport_k_\${what}\`, help, ["sink"]);
told(
  "lost",
  "K.",
);
metrics.histogram("sallyport_h_seconds", "H.", { buckets: [1, 2] });
`;
  const found = familiesOf(source, "a.ts").map(
    ({ name, type, help, labels }) => `${name} ${type} ${labels.join("+")} ${help}`,
  );
  assert.deepEqual(found, [
    'sallyport_a_total counter one+two Said "so" (really)',
    "sallyport_b_total counter route+why B.",
    "sallyport_c gauge  C.",
    "sallyport_d_seconds histogram route+why D.",
    "sallyport_e gauge  E.",
    "sallyport_f gauge x F.",
    "sallyport_g_info gauge hash G.",
    "sallyport_i gauge witness I.",
    "sallyport_k_lost_total counter sink K.",
    "sallyport_h_seconds histogram  H.",
  ]);
});

test("metricFamilies() misses no name that the source has in quotation marks", () => {
  const root = fileURLToPath(new URL("../../src/", import.meta.url));
  const listed = new Set(metricFamilies().map(({ name }) => name.replace(/_total$/, "")));
  const files = globSync("**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));
  const missing = files.flatMap((file) =>
    [...readFileSync(root + file, "utf8").matchAll(/["'`]((?:sallyport|process)_[a-z_0-9]+)["'`]/g)]
      .map(([, name = ""]) => name.replace(/_total$/, ""))
      .filter((name) => !listed.has(name) && !NO_METRICS.has(name))
      .map((name) => `${file}: ${name}`),
  );
  assert.deepEqual(missing, [], "register it by a call with its name, help and labels written out");
});

/** Names of other things. */
const NO_METRICS: ReadonlySet<string> = new Set([
  "sallyport_schema",
  "sallyport_changed",
  "sallyport_join_",
]);

test("every family says what it is a signal of", () => {
  const signals = new Set(metricFamilies().map((family) => signalOf(family)));
  assert.deepEqual([...signals].toSorted(), [
    "errors",
    "latency",
    "saturation",
    "state",
    "traffic",
  ]);
});
