/** API keys as a person reads them in a terminal: a table of many, a list of facts about one. */
import type { ApiKey } from "./admin-client.ts";
import { plain, span, table } from "./table.ts";

const COLUMNS = ["ID", "AUTHENTICATOR", "OWNER", "LABEL", "STATE", "EXPIRES", "LAST USED"] as const;

/** The first line has the names of the columns. */
export function apiKeyTable(keys: readonly ApiKey[], nowMs: number): string {
  const rows = keys.map(({ id, authenticator, owner, label = "", state, expires, used }) =>
    [
      id,
      authenticator,
      owner,
      label,
      state,
      expires,
      used === undefined ? "" : ago(used, nowMs),
    ].map(plain),
  );
  return table([COLUMNS, ...rows]);
}

/** `what  it is`, one fact a line; what is not there is left out. */
export function apiKeyFacts(key: ApiKey, nowMs: number): string {
  const { scopes, roles, groups, attributes, services, revoked, used } = key;
  const values = Object.entries(attributes).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["id", key.id],
    ["authenticator", key.authenticator],
    ["owner", key.owner],
    ["label", key.label],
    ["state", key.state],
    ["made", `${key.created} by ${key.createdBy}`],
    ["expires", key.expires],
    ["last used", used && `${used}, ${ago(used, nowMs)}`],
    ["scopes", list(scopes)],
    ["roles", list(roles)],
    ["groups", list(groups)],
    ["attributes", list(values)],
    ["services", services && list(services)],
    ["replaces", key.replaces],
    ["replaced by", key.replacedBy],
    ["revoked", revoked && `${revoked.at} by ${revoked.by}`],
    ["because", revoked?.reason],
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
