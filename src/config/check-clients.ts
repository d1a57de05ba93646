/** Whom listeners ask for a certificate, and whether somebody is there to know them by it. */
import type { ListenerTlsOptions } from "../http/tls-options.ts";
import { type AuthenticatorOptions, certificatesOf } from "../identity/authenticator-options.ts";
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

/** Authenticators whose callers no listener would take a certificate from. */
export function checkClientsWarnings(draft: Draft): PathProblem[] {
  if (draft.listeners.length === 0 || !draft.whole.listeners) return [];
  const asking = askers(draft);
  return draft.authenticators.flatMap(({ name, path, options }) => {
    if (certificatesOf(options) === undefined) return [];
    // Which of their certificates an authority of the listener's own vouches for is not known here.
    if (asking.some(({ clients }) => clients.ca !== undefined)) return [];
    if (asking.some(({ clients }) => clients.authenticators?.includes(name))) return [];
    const why =
      asking.length === 0
        ? "no listener asks callers for a certificate"
        : "no listener that asks for certificates trusts its authorities";
    const message = `nobody can be known by "${name}": ${why}`;
    return [{ path, message, remedy: trustRemedy(name, options) }];
  });
}

/** One without authorities of its own can only know whom a listener's `ca` has let in. */
function trustRemedy(name: string, options: AuthenticatorOptions): string {
  const own = options.type !== "mtls" || options.bundle !== undefined || options.ca !== undefined;
  return `tls.clients: { mode: optional, ${own ? `authenticators: [${name}]` : "ca: FILE"} }`;
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
