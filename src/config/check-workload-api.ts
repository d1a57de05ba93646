/** Who shows or trusts what the SPIFFE Workload API brings needs one, and one that nobody uses is a mistake. */
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { workloadParts } from "../http/upstream-tls.ts";
import { WORKLOAD_API, workloadAddress } from "../identity/spiffe/workload-api-options.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { isMapping } from "../wire/document/written.ts";

const REMEDY = "workloadApi: { address: unix:/path/to/agent.sock } at the top";

/** `written`: the expanded document, in which one may stand that is not valid. */
export function checkWorkloadApi(
  draft: Draft,
  written: unknown,
  { publicOnly }: { readonly publicOnly: boolean },
): PathProblem[] {
  if (isMapping(written) && written["workloadApi"] !== undefined) return [];
  return users(draft)
    .filter(({ published }) => !published || !publicOnly)
    .map(({ path }) => ({
      path,
      message: "there is no Workload API that it could come from",
      remedy: REMEDY,
    }));
}

/** `ownOnly`: services are not known. */
export function checkWorkloadApiWarnings(
  draft: Draft,
  { ownOnly, folder }: { readonly ownOnly: boolean; readonly folder: string },
): PathProblem[] {
  if (draft.workloadApi === undefined) return [];
  return [
    ...openFolder(workloadAddress(draft.workloadApi.address, (path) => resolve(folder, path))),
    ...(ownOnly ? [] : unused(draft)),
  ];
}

/** Who can put another socket in the place of the agent's hands us an identity and authorities of their own. */
function openFolder(address: string): PathProblem[] {
  if (!address.startsWith("unix:")) return [];
  const folder = dirname(address.slice("unix:".length));
  // Where there is none yet, the agent will make it.
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o022) === 0) return [];
  const message = `others can put a socket of theirs in the place of the agent's: ${folder} is open to them (mode ${(mode & 0o7777).toString(8).padStart(4, "0")})`;
  return [
    { path: ["workloadApi", "address"], message, remedy: "chmod go-w, and owned by the agent" },
  ];
}

function unused(draft: Draft): PathProblem[] {
  if (users(draft).length > 0) return [];
  if (!draft.whole.authenticators || !draft.whole.listeners) return [];
  const message = "nothing uses the Workload API";
  const remedy =
    "tls: { identity: workload-api } of a listener or service, bundle: workload-api of an authenticator, or no workloadApi";
  return [{ path: ["workloadApi"], message, remedy }];
}

interface User {
  readonly path: Path;
  /** Part of what an authority publishes; who runs it is another machine. */
  readonly published: boolean;
}

function users({ listeners, services, admin, authenticators, egress }: Draft): User[] {
  const own = admin === undefined ? [] : [{ path: ["admin"], options: admin }];
  const shown = [...listeners, ...own].flatMap(({ path, options: { tls } }) =>
    tls?.identity === undefined ? [] : [{ path: [...path, "tls", "identity"], published: false }],
  );
  const reached = services.flatMap(({ path, options: { tls } }) =>
    tls === undefined
      ? []
      : [...workloadParts(tls)].map((part) => ({
          path: [...path, "tls", part === "svid" ? "identity" : serverKey(tls)],
          published: true,
        })),
  );
  const verified = authenticators.flatMap(({ path, options }) =>
    "bundle" in options && options.bundle === WORKLOAD_API
      ? [{ path: [...path, "bundle"], published: true }]
      : [],
  );
  const beside = Object.entries(egress?.allow ?? {}).flatMap(([name, { tls }]) =>
    tls === undefined
      ? []
      : [...workloadParts(tls)].map((part) => ({
          path: ["egress", "allow", name, "tls", part === "svid" ? "identity" : serverKey(tls)],
          published: false,
        })),
  );
  const shownThere =
    egress?.identity.workloadApi === true
      ? [{ path: ["egress", "identity", "workloadApi"], published: false }]
      : [];
  return [...shown, ...verified, ...reached, ...shownThere, ...beside];
}

function serverKey({ serverId }: { readonly serverId?: unknown }): string {
  return serverId === undefined ? "serverTrustDomain" : "serverId";
}
