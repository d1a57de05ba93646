/**
 * The issuer of the keys that our own authority issues: where an authenticator of type `sallyport` does
 * not say it, it is that of the authority. Filled in before anything is checked, so that everybody who
 * asks whose a token is sees it; and in what is published, since proxies keep no authority.
 */
import type { Config } from "./schema.ts";
import { isMapping, valueAt } from "../wire/document/written.ts";

/** The expanded document, with the issuer where it is left out. What is not valid stays as it is. */
export function withOwnIssuer(value: unknown): unknown {
  const issuer = valueAt(value, ["authority", "issuer"]);
  const authenticators = valueAt(value, ["authenticators"]);
  if (typeof issuer !== "string" || !isMapping(value) || !isMapping(authenticators)) return value;
  const filled = Object.entries(authenticators).map(([name, options]) => [
    name,
    valueAt(options, ["type"]) === "sallyport" ? addedIssuer(options, issuer) : options,
  ]);
  return { ...value, authenticators: Object.fromEntries(filled) as Record<string, unknown> };
}

/** The same in authenticators as they are written: there the issuer must not be read as an expression. */
export function publishedOwnIssuer(
  written: Readonly<Record<string, unknown>>,
  { authenticators }: Pick<Config, "authenticators">,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(written).map(([name, options]) => {
      const own = authenticators[name];
      if (own?.type !== "sallyport" || own.issuer === undefined) return [name, options];
      return [name, addedIssuer(options, own.issuer.replaceAll("${", "$${"))];
    }),
  );
}

function addedIssuer(options: unknown, issuer: string): unknown {
  return isMapping(options) && options["issuer"] === undefined ? { ...options, issuer } : options;
}
