/** Whom listeners ask for a certificate, and whether somebody is there to know them by it. */
import type { ListenerTlsOptions } from "../http/tls-options.ts";
import { certificatesOf } from "../identity/authenticator-options.ts";
import { suggest } from "../model/suggest.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

/** `clients.authenticators` that are not there, or have no authorities. */
export function checkClients(draft: Draft): PathProblem[] {
  const { authenticators, names } = draft;
  return askers(draft).flatMap(({ path, clients }) =>
    (clients.authenticators ?? []).flatMap((name, index): PathProblem[] => {
      const at = [...path, "tls", "clients", "authenticators", index];
      if (!names.authenticators.has(name)) {
        const close = suggest(name, names.authenticators);
        const message = `there is no authenticator "${name}"`;
        const remedy = close === undefined ? "declare it first" : `did you mean "${close}"?`;
        return [{ path: at, message, remedy }];
      }
      const options = authenticators.find((one) => one.name === name)?.options;
      if (options === undefined) return []; // it has problems of its own
      if (certificatesOf(options) === undefined) {
        const message = `"${name}" is of type ${options.type}, and knows nobody by a certificate`;
        return [{ path: at, message, remedy: "an authenticator of type mtls" }];
      }
      if (options.type === "mtls" && options.bundle === undefined && options.ca === undefined) {
        const message = `"${name}" has no authorities of its own`;
        return [{ path: at, message, remedy: "its ca, or ca of the listener" }];
      }
      return [];
    }),
  );
}

/** Certificates that no listener asks for. */
export function checkClientsWarnings(draft: Draft): PathProblem[] {
  if (draft.listeners.length === 0 || askers(draft).length > 0) return [];
  return draft.authenticators.flatMap(({ name, path, options }) => {
    if (certificatesOf(options) === undefined) return [];
    const message = `nobody can be known by "${name}": no listener asks callers for a certificate`;
    return [
      { path, message, remedy: `tls.clients: { mode: optional, authenticators: [${name}] }` },
    ];
  });
}

function askers({ listeners, admin }: Draft): readonly {
  readonly path: Path;
  readonly clients: NonNullable<ListenerTlsOptions["clients"]>;
}[] {
  const own = admin === undefined ? [] : [{ path: ["admin"], options: admin }];
  return [...listeners, ...own].flatMap(({ path, options }) =>
    options.tls?.clients === undefined ? [] : [{ path, clients: options.tls.clients }],
  );
}
