import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { metricFamilies } from "../docs/metric-families.ts";
import { DASHBOARDS } from "./dashboards.ts";
import { RECORDING_RULES } from "./recording-rules.ts";

interface Model {
  readonly id: null;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
    readonly datasource?: { readonly uid: string };
    readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
    readonly targets?: readonly {
      readonly expr: string;
      readonly datasource: { readonly uid: string };
    }[];
  }[];
}

for (const { name } of DASHBOARDS) {
  test(`deploy/grafana/${name}.json is a dashboard that any Grafana can import`, () => {
    const file = new URL(`../../deploy/grafana/${name}.json`, import.meta.url);
    const model = JSON.parse(readFileSync(file, "utf8")) as Model;
    assert.equal(model.id, null);
    const variables = model.templating.list.map((variable) => variable.name);
    assert.deepEqual(variables, ["datasource", "job", "instance", "service", "route"]);
    assert.equal(new Set(model.panels.map(({ id }) => id)).size, model.panels.length);
    for (const {
      type,
      title,
      description,
      gridPos,
      datasource,
      fieldConfig,
      targets,
    } of model.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      if (type === "row") continue;
      assert.match(description ?? "", /\.$/, title);
      assert.notEqual(fieldConfig?.defaults.unit ?? "", "", title);
      for (const source of [datasource, ...(targets ?? []).map((target) => target.datasource)]) {
        assert.equal(source?.uid, "${datasource}", title);
      }
    }
  });
}

test("a panel that not every proxy fills says in Grafana what it wants", () => {
  const file = readFileSync(new URL("../../deploy/grafana/services.json", import.meta.url), "utf8");
  const found = (JSON.parse(file) as Model).panels.find(({ title }) => title === "gRPC calls");
  assert.match(found?.description ?? "", /when they fail\. No data without gRPC callers\.$/);
});

test("dashboards ask for families that there are", () => {
  const known = new Set(RECORDING_RULES.map(({ record }) => record));
  for (const { name, type } of metricFamilies()) {
    known.add(name);
    if (type === "histogram")
      for (const part of ["bucket", "sum", "count"]) known.add(`${name}_${part}`);
  }
  for (const { expr } of DASHBOARDS.flatMap(({ rows }) =>
    rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries)),
  )) {
    for (const [asked] of expr.matchAll(/\b(?:sallyport|process)_\w+|sallyport:[\w:]+/g)) {
      assert.ok(known.has(asked), `${asked} in ${expr}`);
    }
  }
});
