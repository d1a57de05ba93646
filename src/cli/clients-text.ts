/** Clients of the token endpoint as a person reads them: a table of many, a list of facts about one. */
import type { Client } from "./admin-client.ts";
import { plain, span, table } from "./table.ts";

const COLUMNS = ["ID", "LABEL", "SOURCE", "STATE", "KEYS", "LAST USED"] as const;

/** The first line has the names of the columns. */
export function clientTable(clients: readonly Client[], nowMs: number): string {
  const rows = clients.map(({ id, label = "", source, state, keys, used }) =>
    [
      id,
      label,
      source,
      state,
      source === "declared" ? "" : String(keys.length),
      used === undefined ? "" : ago(used, nowMs),
    ].map(plain),
  );
  return table([COLUMNS, ...rows]);
}

/** `what  it is`, one fact a line; what is not there is left out. */
export function clientFacts(client: Client, nowMs: number): string {
  const { roles, groups, attributes, used, created, createdBy = "", disabled, keys } = client;
  const values = Object.entries(attributes).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["id", client.id],
    ["label", client.label],
    ["source", client.source],
    ["state", client.state],
    ["registered", created && `${created} by ${createdBy}`],
    ["last used", used && `${used}, ${ago(used, nowMs)}`],
    ["roles", list(roles)],
    ["groups", list(groups)],
    ["attributes", list(values)],
    ["disabled", disabled && `${disabled.at} by ${disabled.by}`],
    ["because", disabled?.reason],
    ...keys.map(
      ({ type, id, added, addedBy }) => [type, `${id}  since ${added} by ${addedBy}`] as const,
    ),
  ];
  return table(
    facts.flatMap(([what, value]) => (value === undefined ? [] : [[what, plain(value)]])),
  );
}

function list(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : items.join(" ");
}

function ago(time: string, nowMs: number): string {
  return `${span((nowMs - Date.parse(time)) / 1000)} ago`;
}
