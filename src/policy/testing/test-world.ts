/**
 * What a test file is read against: the words of the configuration, and the router. Policies know nothing
 * of hosts and paths, so whoever has the routes hands in how they are found.
 */
import type { Vocabulary } from "../../model/vocabulary.ts";

export interface TestWorld {
  readonly vocabulary: Vocabulary;
  readonly policyIds: ReadonlySet<string>;
  readonly routing: TestRouting;
  /** Type of an authenticator, as `context.authn.kind` has it; undefined where there is none of that name. */
  readonly authenticatorType: (name: string) => string | undefined;
  /** Who is known on the admin API; undefined where there is none, or where policies do not decide about it. */
  readonly admin: readonly string[] | undefined;
}

export interface TestRouting {
  /** As the gate finds it. `host` and `path` are canonical. */
  find(request: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
  }): FoundRoute | RouteFault;
  /** Host and path of a route, as they are written; undefined where there is none of that name. */
  pattern(name: string): { readonly host: string | undefined; readonly path: string } | undefined;
  readonly names: readonly string[];
}

export interface FoundRoute {
  readonly route: string;
  /** Decoded values of the route's `{name}` segments. */
  readonly params: Readonly<Record<string, string>>;
  /** Names of authenticators, and `anonymous`. */
  readonly authenticate: readonly string[];
  /** The action, where it is an operation of the service's description and not the method. */
  readonly action?: string | undefined;
  /** The path as the service gets it, where the action is an operation. */
  readonly servicePath?: string | undefined;
}

export interface RouteFault {
  readonly fault: "no-route" | "method-not-allowed" | "unknown-operation" | "ambiguous-path";
}

export function isRouteFault(found: FoundRoute | RouteFault): found is RouteFault {
  return "fault" in found;
}
