/**
 * Files that parts of the configuration name and that are no secret: they travel with those parts, so
 * that a proxy needs no copy of its own. All other files that such parts name (private keys with their
 * certificates, passwords) stay where they are: they are read at each proxy, by the path as written.
 */
import { authenticatorFiles, filePrefix } from "../identity/authenticator-options.ts";
import type { Config } from "./schema.ts";

/** Of a valid configuration, its paths as they are written. */
export interface PublicFile {
  readonly at: readonly string[];
  readonly file: string;
  /** What stands before the path in the value, such as `file:`. */
  readonly prefix: string;
}

/** `prefix` belongs to the place, so that whoever puts another path there writes it again. */
export function publicFiles({
  authenticators,
  services,
}: Pick<Config, "authenticators" | "services">): PublicFile[] {
  const keys = Object.entries(authenticators).flatMap(([name, options]) =>
    authenticatorFiles(options).flatMap(({ at: within, value }) => {
      const at = ["authenticators", name, ...within];
      const prefix = filePrefix(at);
      return value.startsWith(prefix) ? [{ at, file: value.slice(prefix.length), prefix }] : [];
    }),
  );
  const trusted = Object.entries(services).flatMap(([name, { tls }]) =>
    tls?.ca === undefined
      ? []
      : [{ at: ["services", name, "tls", "ca"], file: tls.ca, prefix: "" }],
  );
  const descriptions = Object.entries(services).flatMap(([name, service]) =>
    (["openapi", "descriptors"] as const).flatMap((key) => {
      const file = service[key];
      return file === undefined ? [] : [{ at: ["services", name, key], file, prefix: "" }];
    }),
  );
  return [...keys, ...trusted, ...descriptions];
}
