/** A name stands for one thing. */
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import { isOwnListener } from "../http/listener-options.ts";
import { ADMIN_ROUTE, LOCAL_AUTHENTICATOR } from "../model/admin-operations.ts";
import type { Draft, WrittenName } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export function checkNames({ names }: Draft): PathProblem[] {
  return [
    ...repeated("listener", names.listeners),
    ...names.listeners
      .filter(({ name }) => isOwnListener(name))
      .map(({ path, name }) => ({ path, ...ownListener(name) })),
    ...repeated("route", names.routes),
    ...[...names.authenticators]
      .filter((name) => name === LOCAL_AUTHENTICATOR)
      .map((name) => ({
        path: ["authenticators", name],
        message: `an authenticator cannot be called "${name}"`,
        remedy: "another name: that one vouches for whoever may open the admin socket",
      })),
    ...names.routes
      .filter(({ name }) => name === ADMIN_ROUTE)
      .map(({ path, name }) => ({
        path,
        message: `a route cannot be called "${name}"`,
        remedy: "another name: that one stands in records for the admin API",
      })),
    ...[...names.authenticators]
      .filter((name) => name === ANONYMOUS_NAME)
      .map((name) => ({
        path: ["authenticators", name],
        message: `an authenticator cannot be called "${name}"`,
        remedy: "another name: that one stands for callers who present nothing",
      })),
  ];
}

/** What is wrong with a listener that is called as one of ours: metrics and the log would take it for that. */
export function ownListener(name: string): { readonly message: string; readonly remedy: string } {
  return {
    message: `a listener cannot be called "${name}"`,
    remedy: "another name: that one stands in metrics and the log for one of Sallyport's own",
  };
}

function repeated(what: string, written: readonly WrittenName[]): PathProblem[] {
  const seen = new Set<string>();
  return written.flatMap(({ name, path }) => {
    const again = seen.has(name);
    seen.add(name);
    if (!again) return [];
    const message = `another ${what} is called "${name}" already`;
    return [{ path, message, remedy: "a name of its own" }];
  });
}
