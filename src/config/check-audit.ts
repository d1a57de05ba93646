/** Where the audit log lies and is proven: nothing else writes into its folder. */
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { ListenerOptions } from "../http/listener-options.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Draft } from "./draft.ts";

/** What wrote over a segment, a checkpoint or a key of the log would take its proofs away. */
export function checkAuditPlaces({ config, own }: Draft): PathProblem[] {
  const whole = config ?? own;
  const folder = whole?.audit.path;
  if (folder === undefined) return [];
  const { accessLog, usage } = whole ?? {};
  const problems: PathProblem[] = [];
  if (accessLog !== undefined && accessLog.to !== "stdout" && isWithin(accessLog.to, folder)) {
    problems.push(within(["accessLog", "to"], folder, "a file beside it, such as logs/access.log"));
  }
  const book = usage?.path;
  if (book !== undefined && isWithin(book, folder) && !isWithin(book, join(folder, "usage"))) {
    const remedy = "leave it out, for the folder usage in it, or a folder beside it";
    problems.push(within(["usage", "path"], folder, remedy));
  }
  return problems;
}

function within(path: readonly string[], folder: string, remedy: string): PathProblem {
  return { path, message: `it would lie in the folder of the audit log (${folder})`, remedy };
}

/** Both as they are written, so relative to one folder. */
function isWithin(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function checkAuditWarnings(draft: Draft): PathProblem[] {
  return [...plainWitnesses(draft), ...halfRedacted(draft)];
}

/** The caller's address stands in one of two members, by the listener: to redact the other alone leaves it in clear. */
function halfRedacted({ config, own }: Draft): PathProblem[] {
  const whole = config ?? own;
  const redact: readonly string[] = whole?.audit.redact ?? [];
  const [client, peer] = ["clientAddress", "peerAddress"].map((name) => redact.includes(name));
  if (whole === undefined || client === peer) return [];
  // Behind a trusted proxy the peer is that proxy, and no person.
  const isBehind = ({ trustedProxies = [], proxyProtocol }: ListenerOptions): boolean =>
    trustedProxies.length > 0 || proxyProtocol !== undefined;
  const open = whole.listeners.find((listener) => isBehind(listener) !== client);
  if (open === undefined) return [];
  const left = client ? "peerAddress" : "clientAddress";
  const message = `addresses of callers of listener "${open.name}" stay in clear, in ${left}`;
  return [{ path: ["audit", "redact"], message, remedy: "name clientAddress and peerAddress" }];
}

function plainWitnesses({ config, own }: Draft): PathProblem[] {
  const { witnesses = [] } = (config ?? own)?.audit.checkpoints ?? {};
  return witnesses.flatMap(({ insecureHttp }, index) =>
    insecureHttp
      ? [
          {
            path: ["audit", "checkpoints", "witnesses", index, "insecureHttp"],
            message: "checkpoints cross the network in plain HTTP: who is on the way can drop them",
            remedy: "an https: URL, and no insecureHttp",
          },
        ]
      : [],
  );
}
