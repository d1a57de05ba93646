/** The sidecar beside the rest: names and files that it shares with it, and what takes a protection away. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { EgressOptions } from "../egress/egress-options.ts";
import { type ReadFile, readPair, readTrust } from "../http/tls-material.ts";
import { readPrivateKey } from "../crypto/private-key.ts";
import { SallyportError } from "../model/errors.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { isOwnListener } from "../http/listener-options.ts";
import { ownListener } from "./check-names.ts";
import { checkReached } from "./check-services.ts";
import { attempt, openKey, reachedProblems } from "./check-tls.ts";
import type { Draft } from "./draft.ts";

export function checkEgress(draft: Draft, folder: string): PathProblem[] {
  const { egress } = draft;
  if (egress === undefined) return [];
  const read: ReadFile = (file) => readFileSync(resolve(folder, file));
  const services = Object.entries(egress.allow).flatMap(([name, options]) => {
    const service = { path: ["egress", "allow", name], options };
    return [...checkReached(service), ...reachedProblems(service, read, { publicOnly: false })];
  });
  return [
    ...names(draft, egress),
    ...sockets(egress),
    ...processes(draft),
    ...authorityFiles(egress, read),
    ...identityFiles(egress, read),
    ...services,
  ];
}

/** Findings that do not keep it from running. */
export function checkEgressWarnings({ egress }: Draft, folder: string): PathProblem[] {
  if (egress === undefined) return [];
  const { identity, listeners, allow } = egress;
  const keys = (["key", "privateKey"] as const).flatMap((name) => {
    const file = identity[name];
    if (file === undefined) return [];
    const at = { at: ["egress", "identity", name], folder };
    // One that is not there is a problem already.
    return readable(resolve(folder, file)) ? openKey(file, at) : [];
  });
  const reachable = listeners.flatMap(({ insecurePlaintext }, index) =>
    insecurePlaintext === true
      ? [
          {
            path: ["egress", "listeners", index, "insecurePlaintext"],
            message: "whoever reaches this address calls services in the name of this workload",
            remedy: "an address of loopback, or a socket",
          },
        ]
      : [],
  );
  const plain = Object.entries(allow).flatMap(([name, { insecurePlaintext }]) =>
    insecurePlaintext === true
      ? [
          {
            path: ["egress", "allow", name, "insecurePlaintext"],
            message: "keys cross the network in plain HTTP, to whoever says that he is the service",
            remedy: "endpoints of https: or h2:",
          },
        ]
      : [],
  );
  return [...keys, ...reachable, ...plain];
}

function names({ names: written }: Draft, { listeners }: EgressOptions): PathProblem[] {
  const seen = new Set(written.listeners.map(({ name }) => name));
  return listeners.flatMap(({ name }, index) => {
    const path = ["egress", "listeners", index, "name"];
    const again = seen.has(name);
    seen.add(name);
    if (isOwnListener(name)) return [{ path, ...ownListener(name) }];
    if (!again) return [];
    const message = `another listener is called "${name}" already`;
    return [{ path, message, remedy: "a name of its own" }];
  });
}

function sockets({ listeners }: EgressOptions): PathProblem[] {
  const seen = new Set<string>();
  return listeners.flatMap(({ socket }, index) => {
    if (socket === undefined) return [];
    const again = seen.has(socket);
    seen.add(socket);
    if (!again) return [];
    const message = "another listener is at this path already";
    return [
      { path: ["egress", "listeners", index, "socket"], message, remedy: "a path of its own" },
    ];
  });
}

/** Each process would ask for keys of its own, and a socket belongs to one. */
function processes({ config, own, listeners }: Draft): PathProblem[] {
  const workers = (config ?? own)?.workers ?? 1;
  if (workers === 1 || listeners.length === 0) return [];
  const message = "a sidecar runs in one process, and this configuration asks for several";
  return [
    { path: ["workers"], message, remedy: "no workers, or the sidecar in a process of its own" },
  ];
}

function authorityFiles({ authority: { ca } }: EgressOptions, read: ReadFile): PathProblem[] {
  if (ca === undefined) return [];
  const remedy = "a PEM file with the authorities of the token endpoint";
  return attempt(["egress", "authority", "ca"], remedy, () => readTrust({ ca }, read));
}

/** A projected token may come after us, and is looked for when it is needed. */
function identityFiles({ identity }: EgressOptions, read: ReadFile): PathProblem[] {
  const { certificate, key, privateKey } = identity;
  const path = ["egress", "identity"];
  if (certificate !== undefined && key !== undefined) {
    const pair = { certificate, key };
    return attempt([...path, "certificate"], "a PEM certificate and its key", () =>
      readPair(pair, read),
    );
  }
  if (privateKey === undefined) return [];
  return attempt([...path, "privateKey"], "a PEM file with a private key", () => {
    let pem: string;
    try {
      pem = Buffer.from(read(privateKey)).toString("latin1");
    } catch (cause) {
      const { code = "unreadable" } = cause as NodeJS.ErrnoException;
      throw new SallyportError("key-invalid", `"${privateKey}" cannot be read (${code})`, {
        cause,
      });
    }
    readPrivateKey(pem, undefined);
  });
}

function readable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
