/** What the demo prints: a welcome with commands to try, a line for each arrival, and the table. */
import { CHAPTERS, type Case } from "./cases.ts";
import type { Verdict } from "./check.ts";
import { bold, dim, green, red, yellow } from "./paint.ts";
import type { Arrival } from "./services.ts";
import { GIVE_BACK, steps } from "./stocktaker.ts";
import type { World } from "./world.ts";

/** Where everything is, and what to try with which answer. */
export function welcome(world: World): string {
  const lines = [
    "",
    bold("Sallyport demo"),
    "",
    fact("proxy", `http://${world.proxy}`),
    fact("mesh", `https://${world.doors.mesh.address}  ${dim("for callers with certificates")}`),
    fact("sidecar", `http://${world.sidecar}  ${dim("beside the stocktaker")}`),
    fact("metrics", `http://${world.admin}/metrics`),
    fact("provider", world.issuer),
    ...world.services.map(({ name, address }) => fact(name, `http://${address}`)),
    fact("files", `${world.folder}  ${dim("sallyport.yaml, policies/, tokens/, audit/")}`),
    "",
    "In another terminal:",
    "",
    `  cd ${world.folder}`,
  ];
  for (const { title, cases } of CHAPTERS) {
    lines.push("", bold(title), "");
    for (const one of cases) {
      lines.push(`  ${dim(`# ${one.title}`)}  ${answerOf(one)}`, `  ${command(world, one)}`);
    }
  }
  lines.push("", bold("A service without a secret, and the way of its keys"), "");
  for (const step of steps(world)) {
    lines.push(`  ${dim(`# ${step.title}`)}  ${answerOf(step)}`, `  ${step.command}`);
  }
  lines.push(
    `  ${dim("# given back, by the id that was printed; within half a minute the sidecar has a key again")}`,
    `  ${GIVE_BACK}`,
    "",
    dim("Every answer names its decision, by which audit/*.jsonl has its record."),
    dim("What reaches a service is shown here. Ctrl-C ends everything."),
    "",
  );
  return lines.join("\n");
}

/** What every request carries anyway; the rest of what tells of the caller is worth a look. */
const USUAL = /^(?:forwarded|x-forwarded-.*|x-request-id|sallyport-decision)$/;

/** One line for a request that reached a service: what it was, its decision, and what is unusual. */
export function arrivalLine({ service, method, path, identity }: Arrival): string {
  const told = Object.entries(identity)
    .filter(([name]) => !USUAL.test(name))
    .map(([name, value]) => ` ${name}=${value}`);
  const decision = dim(`decision ${identity["sallyport-decision"] ?? "none"}${told.join("")}`);
  return `${green("→")} ${service.padEnd(9)} ${method.padEnd(4)} ${path.padEnd(20)}  ${decision}`;
}

/** case, expected, got, reason, ok: aligned, with what was wrong below its row. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ one, status, reason, faults }) => ({
    cells: [one.title, `${one.status} ${one.reason}`, String(status), reason],
    faults,
  }));
  const heads = ["case", "expected", "got", "reason"];
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map(({ cells }) => (cells[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [
    `${bold(line(heads))}  ${bold("ok")}`,
    ...rows.flatMap(({ cells, faults }) => [
      `${line(cells)}  ${faults.length === 0 ? green("yes") : red("NO")}`,
      ...faults.map((fault) => `  ${red(fault)}`),
    ]),
  ].join("\n");
}

function fact(name: string, value: string): string {
  return `  ${name.padEnd(10)} ${value}`;
}

function answerOf(one: Case): string {
  const text = `→ ${one.status}${one.status === 200 ? "" : ` ${one.reason}`}`;
  return one.status === 200 ? green(text) : yellow(text);
}

/** The same request as a command for a shell, or for a browser. */
export function command(world: Pick<World, "doors">, one: Case): string {
  const { address, tls } = world.doors[one.door ?? "edge"];
  const origin = `${tls === undefined ? "http" : "https"}://${address}`;
  if (one.browser !== undefined) return `open ${quote(origin + one.target)} in a browser`;
  const method = one.method ?? "GET";
  return [
    "curl -s",
    ...(one.method === undefined ? [] : [`-X ${one.method}`]),
    ...(/\.\./.test(one.target) ? ["--path-as-is"] : []),
    ...(tls === undefined ? [] : ["--cacert certs/ca.pem"]),
    ...(one.door === "ledger" ? ["--cert certs/ledger.pem --key certs/ledger.key"] : []),
    ...(one.token === undefined ? [] : [`-H @tokens/${one.token}`]),
    ...(one.proofFor === undefined ? [] : [`-H "$(./proof ${method} ${origin}${one.proofFor})"`]),
    ...Object.entries(one.headers ?? {}).map(([name, value]) => `-H '${name}: ${value}'`),
    quote(`${origin}${one.target}`),
  ].join(" ");
}

function quote(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : `'${text}'`;
}
