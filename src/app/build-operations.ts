/** Turns the descriptions of services into what finds the operation of a request. */
import type { Descriptions } from "../config/descriptions.ts";
import {
  createOperationRouter,
  gateOperation,
  type OperationRouter,
} from "../gate/operations/operation-router.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import type { DescribedRoute } from "../gate/snapshot.ts";
import { createPathRewrite } from "../proxy/rewrite.ts";

/** By service. */
export function operationRouters(descriptions: Descriptions): ReadonlyMap<string, OperationRouter> {
  return new Map(
    Object.entries(descriptions).map(([service, { operations }]) => [
      service,
      createOperationRouter(
        operations.map((one) => ({ ...one, value: gateOperation(service, one.id) })),
      ),
    ]),
  );
}

/** Undefined where the service of the route has no description. */
export function describedRoute(
  { service = "", rewrite, path, pathParameters }: RouteOptions,
  routers: ReadonlyMap<string, OperationRouter>,
): DescribedRoute | undefined {
  const router = routers.get(service);
  if (router === undefined) return undefined;
  return { router, rewrite: createPathRewrite(rewrite, path, pathParameters === "allow") };
}
