/** `/v1/routes`, `/v1/services` and `/v1/authenticators`: what the configuration in force made, as it is now. */
import { z } from "zod";
import type { AuthenticatorView, EndpointView, RouteView, ServiceView } from "./admin-deps.ts";
import { type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { nextSchema, pageOf, pageOfAll, pageQuery } from "./paging.ts";

const routeSchema = z
  .strictObject({
    name: z.string(),
    host: z.string().optional().describe("Absent: every host."),
    path: z.string(),
    methods: z.array(z.string()).optional().describe("Absent: all of them."),
    service: z.string().optional().describe("Absent: it redirects."),
    authenticate: z.array(z.string()).describe("How callers are known, in their order."),
  })
  .meta({ id: "Route" });

const endpointSchema = z
  .strictObject({
    address: z.string().describe("`host:port`."),
    state: z
      .string()
      .optional()
      .describe("`ready`, `resting`, `unhealthy` or `ejected`; absent where it is not known here."),
    requests: z.int().optional().describe("In flight."),
    connections: z.int().optional().describe("Open."),
  })
  .meta({ id: "Endpoint" });

const serviceSchema = z
  .strictObject({
    name: z.string(),
    balance: z.string().describe("How requests are spread over its endpoints."),
    endpoints: z.array(endpointSchema),
    waiting: z.int().optional().describe("Requests that wait for an endpoint."),
  })
  .meta({ id: "Service" });

const authenticatorSchema = z
  .strictObject({
    name: z.string(),
    type: z.string(),
    issuer: z.string().optional(),
    keys: z
      .strictObject({
        usable: z.int().describe("Keys that it verifies with."),
        fetched: timeSchema.optional().describe("The last time that went well; absent for a file."),
        failures: z.int().describe("Fetches that have failed since."),
      })
      .optional()
      .describe("Absent where it is not known here."),
  })
  .meta({ id: "Authenticator" });

const query = z.strictObject(pageQuery);

/** One list of everything, in pages, by name. */
function listing<V extends { readonly name: string }>(
  spec: {
    readonly operation: "listRoutes" | "listServices" | "listAuthenticators";
    readonly member: string;
    readonly summary: string;
    readonly item: z.ZodType;
  },
  read: (config: {
    readonly routes: readonly RouteView[];
    readonly services: readonly ServiceView[];
    readonly authenticators: readonly AuthenticatorView[];
  }) => readonly V[],
  show: (one: V) => unknown,
): Operation {
  const { member, item, summary } = spec;
  const schema = z.strictObject({ [member]: z.array(item), next: nextSchema });
  return operation(
    {
      operation: spec.operation,
      method: "get",
      path: `/v1/${member}`,
      tag: "configuration",
      summary,
      query,
      answers: { status: 200, description: "One page of them, by name.", schema },
    },
    async (call, { config }) => {
      const all = read(await config.running());
      const { items, next } = pageOfAll(all, ({ name }) => name, pageOf(call.query));
      return { body: { [member]: items.map(show), ...(next === undefined ? {} : { next }) } };
    },
  );
}

export const viewOperations: readonly Operation[] = [
  listing(
    { operation: "listRoutes", member: "routes", summary: "Routes in force", item: routeSchema },
    ({ routes }) => routes,
    routeOf,
  ),
  listing(
    {
      operation: "listServices",
      member: "services",
      summary: "Services, and how their endpoints are",
      item: serviceSchema,
    },
    ({ services }) => services,
    serviceOf,
  ),
  listing(
    {
      operation: "listAuthenticators",
      member: "authenticators",
      summary: "Ways to know callers, and whether their keys are at hand",
      item: authenticatorSchema,
    },
    ({ authenticators }) => authenticators,
    authenticatorOf,
  ),
];

function routeOf(route: RouteView): z.input<typeof routeSchema> {
  const { name, host, path, methods, service, authenticate } = route;
  return {
    name,
    ...(host === undefined ? {} : { host }),
    path,
    ...(methods === undefined ? {} : { methods: [...methods] }),
    ...(service === undefined ? {} : { service }),
    authenticate: [...authenticate],
  };
}

function serviceOf({
  name,
  balance,
  endpoints,
  waiting,
}: ServiceView): z.input<typeof serviceSchema> {
  return {
    name,
    balance,
    endpoints: endpoints.map(endpointOf),
    ...(waiting === undefined ? {} : { waiting }),
  };
}

function endpointOf(endpoint: EndpointView): z.input<typeof endpointSchema> {
  const { address, state, requests, connections } = endpoint;
  return {
    address,
    ...(state === undefined ? {} : { state }),
    ...(requests === undefined ? {} : { requests }),
    ...(connections === undefined ? {} : { connections }),
  };
}

function authenticatorOf(one: AuthenticatorView): z.input<typeof authenticatorSchema> {
  const { name, type, issuer, keys } = one;
  return {
    name,
    type,
    ...(issuer === undefined ? {} : { issuer }),
    ...(keys === undefined
      ? {}
      : {
          keys: {
            usable: keys.usable,
            ...(keys.fetchedMs === undefined ? {} : { fetched: timeText(keys.fetchedMs) }),
            failures: keys.failures,
          },
        }),
  };
}
