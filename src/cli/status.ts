/** `sallyport status`: the whole at a glance. 0: ready; 1: not ready, or the last reload failed. */
import type { Status } from "./admin-client.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { plain, span, table } from "./table.ts";

export async function showStatus(
  options: ConnectOptions & { readonly json: boolean },
): Promise<number> {
  const { value } = await connectAdmin(options).getStatus();
  process.stdout.write(options.json ? `${JSON.stringify(value, null, 2)}\n` : statusText(value));
  return value.ready && value.config.notReloaded === undefined ? 0 : 1;
}

export function statusText(status: Status): string {
  const { config, workers, counts } = status;
  const rows: [string, string][] = [
    ["sallyport", `${status.version} on ${status.runtime}, ${status.role}, pid ${status.pid}`],
    ["up", `${span(status.uptimeSeconds)}, since ${status.started}`],
    ["ready", status.ready ? "yes" : "NO"],
    ...Object.entries(status.checks).map(([name, text]): [string, string] => [`  ${name}`, text]),
    ["config", `${config.hash}, since ${config.since}`],
    ...failingTests(status),
    ...notReloaded(status),
    [
      "serves",
      `${counts.routes} routes, ${counts.services} services, ${counts.authenticators} authenticators`,
    ],
    ...status.listeners.map(({ name, scheme, address }): [string, string] => [
      `  ${name}`,
      `${scheme}://${address}`,
    ]),
    ["workers", `${workers.serving} of ${workers.wanted}`],
    ...authorityRows(status),
  ];
  return table(rows.map(([name, text]) => [plain(name), plain(text)]));
}

function failingTests({ config }: Status): [string, string][] {
  const { failingTests: failing } = config;
  if (failing === undefined) return [];
  return [["  TESTS FAIL", `${failing} of its policies, and the configuration ignores it`]];
}

function notReloaded({ config }: Status): [string, string][] {
  const failed = config.notReloaded;
  if (failed === undefined) return [];
  const more = failed.problems - failed.why.length;
  return [
    ["  NOT RELOADED", `at ${failed.at}: what is written is not what runs`],
    ...failed.why.map((why): [string, string] => ["", why]),
    ...(more > 0 ? [["", `and ${more} more`] as [string, string]] : []),
  ];
}

function authorityRows({
  feed,
  store,
  keys,
  followers,
  follows,
  serves,
}: Status): [string, string][] {
  const rows: [string, string][] = [];
  if (feed !== undefined) {
    const { number, stalenessSeconds, maxStalenessSeconds } = feed;
    const age =
      stalenessSeconds === undefined
        ? "not heard yet"
        : `${stalenessSeconds.toFixed(1)}s old, at most ${maxStalenessSeconds}s`;
    rows.push(["feed", `change ${number}, ${age}`]);
  }
  if (follows !== undefined) {
    const { connected, authority, bundle, lastError, name, identityUntil } = follows;
    rows.push(["follows", `${authority}, ${connected ? "connected" : "NOT CONNECTED"}`]);
    if (lastError !== undefined) rows.push(["  last error", lastError]);
    rows.push(["bundle", bundle], ["enrolled as", `${name}, until ${identityUntil}`]);
  }
  if (serves !== undefined) rows.push(["serves machines", serves]);
  if (store !== undefined) {
    rows.push(["store", store.reachable ? `reachable, change ${store.number ?? 0}` : "AWAY"]);
  }
  for (const [index, { use, kid, retires }] of (keys ?? []).entries()) {
    rows.push([index === 0 ? "keys" : "", `${use} ${kid}, until ${retires}`]);
  }
  if (followers !== undefined) rows.push(["followers", String(followers)]);
  return rows;
}
