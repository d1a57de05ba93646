/**
 * `npm run docs`: writes what the documentation says about the source from the source itself:
 * docs/configuration.md, docs/errors.md, docs/metrics.md, docs/openapi.json, docs/sallyport.schema.json and the tables
 * in docs/admin-api.md, docs/findings.md and docs/operations.md; rules and dashboards in deploy/; and the client of the admin API, src/cli/admin-client.ts. With `--check` it
 * writes nothing and fails where a file differs.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { adminOpenApi } from "../src/admin/operations.ts";
import { DASHBOARDS } from "./deploy/dashboards.ts";
import { grafanaFile } from "./deploy/grafana-file.ts";
import { rulesFile } from "./deploy/rules-file.ts";
import { withAlerts } from "./docs/alert-runbook.ts";
import { configurationReference } from "./docs/configuration-reference.ts";
import { editorSchema } from "./docs/editor-schema.ts";
import { errorCatalogue } from "./docs/error-catalogue.ts";
import { withFindings } from "./docs/finding-catalogue.ts";
import { metricCatalogue } from "./docs/metric-catalogue.ts";
import { withOperations } from "./docs/admin-operations.ts";
import { adminClient } from "./generate-admin-client.ts";

/** Sources that are written from others: path → text, in the form that oxfmt gives it. */
function generateSources(root: string): ReadonlyMap<string, string> {
  const text = adminClient(adminOpenApi());
  const formatter = spawnSync(
    `${root}node_modules/.bin/oxfmt`,
    ["--stdin-filepath", "src/cli/admin-client.ts"],
    { cwd: root, input: text, encoding: "utf8" },
  );
  if (formatter.status !== 0) throw new Error(`oxfmt: ${formatter.stderr}`);
  return new Map([["src/cli/admin-client.ts", formatter.stdout]]);
}

/** File under `docs/` → text. */
export function generateDocs(): ReadonlyMap<string, string> {
  const adminPage = readFileSync(new URL("../docs/admin-api.md", import.meta.url), "utf8");
  const operationsPage = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
  const findingsPage = readFileSync(new URL("../docs/findings.md", import.meta.url), "utf8");
  return new Map([
    ["admin-api.md", withOperations(adminPage, adminOpenApi())],
    ["configuration.md", configurationReference()],
    ["errors.md", errorCatalogue()],
    ["findings.md", withFindings(findingsPage)],
    ["metrics.md", metricCatalogue()],
    ["operations.md", withAlerts(operationsPage)],
    ["openapi.json", `${JSON.stringify(adminOpenApi(), null, 2)}\n`],
    ["sallyport.schema.json", `${JSON.stringify(editorSchema(), null, 2)}\n`],
  ]);
}

/** File under `deploy/` → text. */
export function generateDeploy(): ReadonlyMap<string, string> {
  const dashboards = DASHBOARDS.map(
    (dashboard) => [`grafana/${dashboard.name}.json`, grafanaFile(dashboard)] as const,
  );
  return new Map([["prometheus/rules.yaml", rulesFile()], ...dashboards]);
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const checking = process.argv.includes("--check");
  mkdirSync(`${root}docs`, { recursive: true });
  const docs = [...generateDocs()].map(([name, text]) => [`docs/${name}`, text] as const);
  const deploy = [...generateDeploy()].map(([name, text]) => [`deploy/${name}`, text] as const);
  for (const [path, text] of [...docs, ...deploy, ...generateSources(root)]) {
    if (!checking) {
      writeFileSync(root + path, text);
    } else if (read(root + path) !== text) {
      console.error(`${path} is not what the source says; run: npm run docs`);
      process.exitCode = 1;
    }
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
