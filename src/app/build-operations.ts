/** Turns the descriptions of services into what finds the operation of a request, and holds it against them. */
import { setImmediate } from "node:timers/promises";
import { type Descriptions, validationOf } from "../config/descriptions.ts";
import type { Config } from "../config/schema.ts";
import type { ServiceDescription } from "../gate/operations/description.ts";
import { createSchemaCompiler } from "../gate/operations/json-schema.ts";
import { createOperationChecks } from "../gate/operations/operation-checks.ts";
import { OPERATION_LIMITS } from "../gate/operations/operation-options.ts";
import {
  createOperationRouter,
  type OperationRouter,
} from "../gate/operations/operation-router.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import type { DescribedRoute } from "../gate/snapshot.ts";
import type { Clock } from "../model/ports.ts";
import { createPathRewrite } from "../proxy/rewrite.ts";

const LIMITS = {
  /** A request that arrives while schemas are compiled waits at most about this long. */
  sliceMs: 4,
} as const;

type Routers = ReadonlyMap<string, OperationRouter>;

/** By service. In slices: compiling the schemas of one operation takes a millisecond or two. */
export async function operationRouters(
  descriptions: Descriptions,
  clock: Pick<Clock, "monotonic">,
): Promise<Routers> {
  const routers = new Map<string, OperationRouter>();
  let began = clock.monotonic();
  const pause = async (): Promise<void> => {
    if (clock.monotonic() - began < LIMITS.sliceMs) return;
    await setImmediate();
    began = clock.monotonic();
  };
  for (const [service, description] of Object.entries(descriptions)) {
    routers.set(service, await operationRouter(service, description, pause));
  }
  return routers;
}

async function operationRouter(
  service: string,
  { operations, rules }: ServiceDescription,
  pause: () => Promise<void>,
): Promise<OperationRouter> {
  // Whoever read the description has compiled them before.
  const compile = rules && createSchemaCompiler({ trusted: true });
  const checked: ((typeof operations)[number] &
    Parameters<typeof createOperationRouter>[1][number])[] = [];
  for (const operation of operations) {
    const rule = rules?.[operation.id];
    const checks =
      rule === undefined || compile === undefined
        ? undefined
        : createOperationChecks(rule, compile);
    checked.push({ ...operation, checks });
    await pause();
  }
  return createOperationRouter(service, checked);
}

/** Undefined where the service of the route has no description. */
export function describedRoute(
  options: RouteOptions,
  { config, routers }: { readonly config: Pick<Config, "services">; readonly routers: Routers },
): DescribedRoute | undefined {
  const { service: name = "", rewrite, path, pathParameters, limits } = options;
  const [service, router] = [config.services[name], routers.get(name)];
  if (router === undefined || service === undefined) return undefined;
  return {
    router,
    rewrite: createPathRewrite(rewrite, path, pathParameters === "allow"),
    validation: validationOf(options, service),
    bodyBytes: Math.min(limits.bodyBytes, OPERATION_LIMITS.body),
  };
}
