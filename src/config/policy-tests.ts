/**
 * The tests of a configuration's policies, with what they are read against: its routes and who is known
 * on them, as plain data that can go to a thread. Of an authority these are the routes of all proxies.
 */
import {
  createOperationRouter,
  type OperationRouter,
} from "../gate/operations/operation-router.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import { createRouter, pathParams, type RoutePattern } from "../gate/router.ts";
import { paramsOf } from "../gate/route.ts";
import { KEY_KIND } from "../model/issued-keys.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { METHODS } from "../model/vocabulary.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import type {
  FoundRoute,
  RouteFault,
  TestRouting,
  TestWorld,
} from "../policy/testing/test-world.ts";
import { createPathRewrite } from "../proxy/rewrite.ts";
import type { Config } from "./schema.ts";

export interface TestedRoute extends RoutePattern {
  readonly authenticate: readonly string[];
  /** Whether `;` may stand in its path. */
  readonly pathParameters: boolean;
  readonly service?: string | undefined;
  readonly rewrite?: RouteOptions["rewrite"] | undefined;
}

export interface PolicyTests {
  /** Named relative to the configuration. */
  readonly files: readonly PolicyFile[];
  readonly routes: readonly TestedRoute[];
  /** Name of each authenticator → its type. */
  readonly authenticators: Readonly<Record<string, string>>;
  /** Who is known on the admin API; undefined where nobody is. */
  readonly admin: readonly string[] | undefined;
  /** Policies are put in force though a test fails. */
  readonly ignoreFailing: boolean;
}

type Tested = Pick<Config, "routes" | "authenticators" | "admin" | "policies">;

/** Undefined where the configuration names no tests. */
export function gatherTests(config: Tested, files: readonly PolicyFile[]): PolicyTests | undefined {
  return files.length === 0 ? undefined : { files, ...describeRoutes(config) };
}

/** All but the tests. */
export function describeRoutes(config: Tested): Omit<PolicyTests, "files"> {
  const { routes, authenticators, admin, policies } = config;
  return {
    routes: routes.map(
      ({ name, host, path, methods, authenticate, pathParameters, service, rewrite }) => ({
        name,
        host,
        path,
        methods,
        authenticate: withKeyHolders(authenticate, authenticators),
        pathParameters: pathParameters === "allow",
        service,
        rewrite,
      }),
    ),
    authenticators: Object.fromEntries(
      Object.entries(authenticators).map(([name, { type }]) => [name, type]),
    ),
    admin: admin?.authenticate && withKeyHolders(admin.authenticate, authenticators),
    ignoreFailing: policies.insecureIgnoreFailingTests,
  };
}

/** A key of ours stands for whoever any authenticator vouches for: where it is taken, they come too. */
function withKeyHolders(
  names: readonly string[],
  authenticators: Tested["authenticators"],
): readonly string[] {
  const issued = names.some((name) => authenticators[name]?.type === KEY_KIND);
  return issued ? [...new Set([...names, ...Object.keys(authenticators)])] : names;
}

/** What cases are read against. */
export function testWorld(
  { routes, authenticators, admin }: Pick<PolicyTests, "routes" | "authenticators" | "admin">,
  vocabulary: Vocabulary,
): Omit<TestWorld, "policyIds"> {
  return {
    vocabulary,
    routing: createTestRouting(routes, vocabulary),
    authenticatorType: (name) =>
      Object.hasOwn(authenticators, name) ? authenticators[name] : undefined,
    admin,
  };
}

/** Finds routes as the gate does: with its router, and in its order. */
function createTestRouting(
  routes: readonly TestedRoute[],
  { services }: Pick<Vocabulary, "services">,
): TestRouting {
  const described = new Map(
    services.flatMap(({ name, operations }) =>
      operations === undefined ? [] : [[name, createOperationRouter(name, operations)]],
    ),
  );
  const router = createRouter(
    routes.map((route) => ({ ...route, value: { route, params: pathParams(route.path) } })),
    METHODS,
  );
  const byName = new Map(routes.map((route) => [route.name, route]));
  return {
    names: routes.map(({ name }) => name),
    pattern: (name) => byName.get(name),
    find({ method, host, path }) {
      const match = router.find(host, path);
      if (match === undefined) return { fault: "no-route" };
      const found = match.method(method);
      if (found === undefined) return { fault: "method-not-allowed" };
      const { route, params } = found;
      if (!route.pathParameters && path.includes(";")) return { fault: "ambiguous-path" };
      const operation = operationOf(route, described.get(route.service ?? ""), { method, path });
      if (operation !== undefined && "fault" in operation) return operation;
      const { name, authenticate } = route;
      return { route: name, params: paramsOf(params, path), authenticate, ...operation };
    },
  };
}

/** As the gate's step does it: by method, and the path as the service will see it. */
function operationOf(
  { rewrite, path: pattern, pathParameters }: TestedRoute,
  router: OperationRouter | undefined,
  { method, path }: { readonly method: string; readonly path: string },
): Pick<FoundRoute, "action" | "servicePath"> | RouteFault | undefined {
  if (router === undefined) return undefined;
  const change = createPathRewrite(rewrite, pattern, pathParameters);
  const servicePath = change === undefined ? path : change(path);
  if (servicePath === undefined) return { fault: "ambiguous-path" };
  const match = router.find(servicePath);
  if (match === undefined) return { fault: "unknown-operation" };
  const found = match.method(method);
  if (found === undefined) return { fault: "method-not-allowed" };
  return { action: found.action, servicePath };
}
