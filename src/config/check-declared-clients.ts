/**
 * Clients that the configuration declares: whether the files that prove who each is can be used, are
 * public and are nobody else's, and whether policies can be asked about it.
 */
import { resolve } from "node:path";
import { isKeeper } from "../authority/authority-options.ts";
import { readDeclaredClient } from "../authority/clients/declared-client.ts";
import { sharedProofs } from "../authority/clients/declared-clients.ts";
import {
  type ClientPrincipals,
  createClientPrincipals,
} from "../identity/claims/client-principal.ts";
import type { RegisteredClient } from "../model/issued-keys.ts";
import { readFileBytes } from "../platform/files.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { type Path, pathKey } from "../wire/document/place.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import { keysAuthenticator } from "./keys-authenticator.ts";

const CLIENTS: Path = ["authority", "clients"];

export function checkDeclaredClients(draft: Draft, folder: string): PathProblem[] {
  const { authority } = draft;
  const clients = Object.entries((isKeeper(authority) ? authority.clients : undefined) ?? {});
  if (clients.length === 0) return [];
  const keys = keysAuthenticator(draft.authenticators.map(({ name, options }) => [name, options]));
  // One that is not valid has problems of its own.
  if (keys === undefined && draft.whole.authenticators) return [WITHOUT_KEYS];
  const deps = {
    readFile: (path: string) => readFileBytes(resolve(folder, path)),
    principals: keys === undefined ? ANYBODY : createClientPrincipals(keys.name, keys.principal),
  };
  const read: RegisteredClient[] = [];
  const problems: PathProblem[] = [];
  for (const [id, options] of clients) {
    const found = readDeclaredClient(id, options, deps);
    if ("client" in found) read.push(found.client);
    else {
      problems.push(
        ...found.faults.map(({ at, message, remedy }) => {
          return { path: [...CLIENTS, id, ...at], message: `"${id}": ${message}`, remedy };
        }),
      );
    }
  }
  return [
    ...problems,
    ...sharedProofs(read).map(({ id, with: other, what }) => ({
      path: [...CLIENTS, id, what],
      message: `"${id}" and "${other}" have a ${what === "keys" ? "key" : "certificate"} in common`,
      remedy: "one of its own for each",
    })),
  ];
}

const WITHOUT_KEYS: PathProblem = {
  path: CLIENTS,
  message: "no authenticator is of type sallyport, so its clients are nobody to policies",
  remedy: "authenticators: { keys: { type: sallyport } }",
};

/** Where it cannot be known what is declared, attributes deserve no judgement. */
const ANYBODY: ClientPrincipals = ({ id: subject }) => ({
  kind: "workload",
  authenticator: "",
  subject,
  roles: [],
  groups: [],
  attributes: {},
});

/** Whoever may read the configuration would be the client. */
export function checkDeclaredClientsWarnings(
  { authority }: Draft,
  { written }: Expansion,
): PathProblem[] {
  if (!isKeeper(authority)) return [];
  return Object.entries(authority.clients ?? {}).flatMap(([id, { insecureSecret }]) => {
    const path = [...CLIENTS, id, "insecureSecret"];
    if (insecureSecret === undefined || written.has(pathKey(path))) return [];
    const message = `the secret of the client "${id}" is written in clear`;
    return [{ path, message, remedy: "${env:NAME} or ${file:path}" }];
  });
}
