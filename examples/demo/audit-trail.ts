/** Reads back what the proxy recorded: which decision each request got, and how it ended. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Trail {
  /** Decision id → its decision record. */
  readonly decisions: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Decision id → its completion record. */
  readonly completions: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** Every record in the JSON-lines files of an audit folder. */
export function readTrail(folder: string): Trail {
  const decisions = new Map<string, Readonly<Record<string, unknown>>>();
  const completions = new Map<string, Readonly<Record<string, unknown>>>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".jsonl"))) {
    for (const line of readFileSync(join(folder, name), "utf8").split("\n")) {
      if (line === "") continue;
      const record = JSON.parse(line) as Record<string, unknown>;
      const id = String(record["decisionId"]);
      if (record["type"] === "decision") decisions.set(id, record);
      if (record["type"] === "completion") completions.set(id, record);
    }
  }
  return { decisions, completions };
}
