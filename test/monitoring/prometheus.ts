/** Debian's Prometheus on loopback, asked by its HTTP API. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../../examples/ports.ts";

const LIMITS = {
  /** Milliseconds until it is ready, on a busy machine. */
  start: 60_000,
  /** Between looks. */
  poll: 100,
} as const;

export interface Answer {
  readonly resultType: string;
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value?: readonly [number, string];
    readonly values?: readonly (readonly [number, string])[];
  }[];
}

export interface Prometheus {
  /** Throws what the API says is wrong. */
  query(expr: string): Promise<Answer>;
  range(
    expr: string,
    span: { readonly from: number; readonly to: number; readonly step: number },
  ): Promise<Answer>;
  get(path: string, query?: Readonly<Record<string, string>>): Promise<unknown>;
}

/** Why there is none here; undefined where there is. */
export function missingPrometheus(): string | undefined {
  return spawnSync("prometheus", ["--version"]).error === undefined
    ? undefined
    : "there is no prometheus here (Debian: prometheus)";
}

/** Scrapes every second, with our rules. Ends with the test. */
export async function startPrometheus(
  t: Pick<TestContext, "after">,
  targets: readonly string[],
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-prometheus-"));
  const rules = fileURLToPath(new URL("../../deploy/prometheus/rules.yaml", import.meta.url));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: [{ job_name: "sallyport", static_configs: [{ targets }] }],
  };
  const file = join(folder, "prometheus.yaml");
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort(0)}`;
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
      "--enable-feature=exemplar-storage",
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const deadline = performance.now() + LIMITS.start;
  while (!(await isReady(address))) {
    if (performance.now() > deadline || child.exitCode !== null)
      throw new Error(`prometheus: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, LIMITS.poll));
  }
  const get: Prometheus["get"] = async (path, query = {}) => {
    const answer = await fetch(
      `http://${address}/api/v1/${path}?${new URLSearchParams(query).toString()}`,
    );
    const body = (await answer.json()) as { status: string; data: unknown; error?: string };
    if (body.status !== "success")
      throw new Error(`${body.error ?? "no error is named"}: ${query["query"] ?? path}`);
    return body.data;
  };
  return {
    get,
    query: async (query) => (await get("query", { query })) as Answer,
    range: async (query, { from, to, step }) =>
      (await get("query_range", {
        query,
        start: String(from),
        end: String(to),
        step: String(step),
      })) as Answer,
  };
}

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}/-/ready`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** As Grafana puts values of its variables into queries; `interval` in seconds. */
export function filledIn(expr: string, interval: number): string {
  return expr
    .replaceAll("$__rate_interval", `${interval}s`)
    .replaceAll(/\$(?:job|instance|service|route)\b/g, ".*");
}

/** What is to be seen of it. */
export function shownBy({ result }: Answer): "nothing" | "0" | "something" {
  const figures = result
    .flatMap(({ value, values = [] }) => (value === undefined ? values : [value]))
    .map(([, text]) => Number(text))
    .filter((figure) => !Number.isNaN(figure));
  if (figures.length === 0) return "nothing";
  return figures.every((figure) => figure === 0) ? "0" : "something";
}
