/**
 * Options of one route: which requests it takes, how their callers are known, and what is changed
 * on the way to its service and back. What no route names is not reachable.
 */
import { z } from "zod";
import { routeConcurrencySchema, routeRatesSchema } from "../limits/limit-options.ts";
import { costSchema } from "../limits/usage/usage-options.ts";
import { attributesSchema, byteSize, duration, nameSchema } from "../model/options.ts";
import { METHODS } from "../model/vocabulary.ts";
import { acceptSchema } from "../policy/findings/acceptance.ts";
import { parseAuthority } from "../wire/authority.ts";
import { checkRoute } from "./check-route.ts";
import { confirmationSchema } from "./confirmation-rule.ts";
import { corsSchema } from "./cors-options.ts";
import { credentialsSchema } from "./credential-options.ts";
import { routeIdentityShape } from "./identity-options.ts";
import { inspectSchema } from "./inspect-options.ts";
import { parsePathPattern } from "./path-pattern.ts";
import { routeOperationsShape } from "./operations/operation-options.ts";
import { routeResourceShape } from "./resource-options.ts";
import { redirectSchema, rewriteSchema } from "./rewrite-options.ts";
import { requestChangesSchema, responseChangesSchema } from "./transform-options.ts";

const LIMITS = {
  /** Authenticators of a route; each one is a way in. */
  authenticate: 16,
  /** Audiences of a route. */
  audience: 16,
} as const;

/** Stands in `authenticate` for callers that present nothing; no authenticator may be called so. */
export const ANONYMOUS_NAME = "anonymous";

const HOST =
  /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const IPV6 = /^\[[0-9a-f:.]+\]$/;
const HOST_REMEDY = "a lower-case host without a port, such as api.example.com or *.example.com";

const hostSchema = z
  .string()
  .max(253)
  .superRefine((host, context) => {
    if (!HOST.test(host) && !IPV6.test(host)) context.addIssue(HOST_REMEDY);
    else if (!isRequestHost(host)) context.addIssue("a host as requests carry it, such as [::1]");
  });

/**
 * Whether a request's canonical host can equal it. `[0:0::1]` and `127.1` never do: the route would
 * not match, and what it was to protect would go to a wider route.
 */
function isRequestHost(host: string): boolean {
  const example = host.replace(/^\*/, "any");
  return parseAuthority(example)?.text === example;
}

const pathSchema = z.string().superRefine((path, context) => {
  const parsed = parsePathPattern(path);
  if ("remedy" in parsed) context.addIssue(parsed.remedy);
});

const authenticateSchema = z
  .array(nameSchema, "a list of authenticators, or [anonymous]")
  .min(1, "at least one authenticator, or [anonymous]")
  .max(LIMITS.authenticate, `at most ${LIMITS.authenticate}`)
  .superRefine((names, context) => {
    for (const [index, name] of names.entries()) {
      const message =
        names.indexOf(name) < index
          ? `each name once; "${name}" stands twice`
          : name === ANONYMOUS_NAME && index < names.length - 1
            ? `"${ANONYMOUS_NAME}" last: it takes who presents no credential`
            : undefined;
      if (message !== undefined) context.addIssue({ code: "custom", path: [index], message });
    }
  });

const lifetimeSchema = z.union(
  [
    z.literal("none").transform(() => Number.POSITIVE_INFINITY),
    duration({ min: "1s", max: "30d" }),
  ],
  "a duration from 1s to 30d, such as 30m or 24h, or none",
);

export const routeSchema = z
  .strictObject({
    name: nameSchema.describe(
      'Unique name; `Sallyport::Route::"<name>"` in policies, and in records and metrics.',
    ),
    host: hostSchema
      .optional()
      .describe(
        "Host that the route answers for; `*.example.com` takes one or more labels in front. Without it: every host. An exact host wins over a wildcard, and that over none.",
      ),
    path: pathSchema.describe(
      "Canonical path of literal segments, `{name}` for one segment, and `*` at the end for the rest (`/billing/*` does not match `/billing`). A literal wins over `{name}`, and that over `*`.",
    ),
    methods: z
      .array(z.enum(METHODS as [string, ...string[]]), "a list of methods")
      .min(1, "at least one method")
      .refine((methods) => new Set(methods).size === methods.length, "each method once")
      .optional()
      .describe("Methods that the route takes; others are answered 405. Without it: all of them."),
    service: nameSchema
      .optional()
      .describe("Service that permitted requests are forwarded to. Either this or `redirect`."),
    authenticate: authenticateSchema.describe(
      "Names of authenticators. The first one whose credential is present decides who the principal is. `[anonymous]` (or `anonymous` as the last name) lets callers in that present no credential; it has to be written out.",
    ),
    audience: z
      .array(z.string().min(1).max(2048))
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .optional()
      .describe(
        "What a token must be meant for (`aud`) on this route; one of them is enough. Without it: the authenticator's own `audience`.",
      ),
    confirmation: confirmationSchema,
    rewrite: rewriteSchema
      .optional()
      .describe(
        "Changes path and Host of what is forwarded. Policies see the path as it was received.",
      ),
    redirect: redirectSchema
      .optional()
      .describe(
        "Sends the caller elsewhere instead of forwarding, once policy permits. The new place is made of what is written here and of the canonical request.",
      ),
    cors: corsSchema
      .optional()
      .describe(
        "Lets pages of other origins call the route. Preflights are answered by the proxy, before anybody is asked for a credential; the service's own `access-control-` fields are replaced.",
      ),
    inspect: inspectSchema
      .optional()
      .describe(
        "Lets policies see what JSON bodies say. They are read before it is decided, for callers whose identity is known, and forwarded as they were read.",
      ),
    request: requestChangesSchema
      .optional()
      .describe("Changes to the request, made after hop-by-hop fields and our own were removed."),
    response: responseChangesSchema.optional().describe("Changes to the service's response."),
    credentials: credentialsSchema
      .default("strip")
      .describe(
        "`strip`: the caller's credential is not passed on. `forward`: the service receives it, and could use it elsewhere in the caller's name. `basic` or `header`: the service receives a static credential of its own, from a secret file, and not the caller's.",
      ),
    ...routeIdentityShape,
    ...routeResourceShape,
    ...routeOperationsShape,
    pathParameters: z
      .enum(["refuse", "allow"])
      .default("refuse")
      .describe(
        "`allow`: paths may have `;` (RFC 3986 section 3.3). Services disagree about what stands behind it, so it is refused unless the service is known to read it as part of the segment.",
      ),
    timeout: duration({ min: "10ms", max: "24h" })
      .prefault("5m")
      .describe(
        "For the whole exchange, from the complete request head to the last byte; with `lifetime`, to the head of the response.",
      ),
    connectTimeout: duration({ min: "10ms", max: "2m" })
      .optional()
      .describe(
        "How long opening a connection to the service may take, from 10ms to 2m. Without it: the service's own `connectTimeout`.",
      ),
    responseTimeout: duration({ min: "10ms", max: "24h" })
      .prefault("30s")
      .describe("From the end of the request to the head of the response; beyond it 504."),
    idleTimeout: duration({ min: "10ms", max: "24h" })
      .prefault("60s")
      .describe("How long no byte may flow in either direction before the exchange is ended."),
    lifetime: lifetimeSchema
      .optional()
      .describe(
        "Says that responses of the route may be streams (Server-Sent Events, watches, long downloads): `timeout` then ends with the head of the response, and this is how long it may go on, from the complete request head. It bounds upgraded connections too. `none`: no bound but `idleTimeout`, policy and the identity's expiry. Without it: responses have `timeout`, upgraded connections no bound of this kind.",
      ),
    upgrades: z
      .array(
        z.enum(["websocket"], "websocket, the only protocol that is switched to"),
        "a list of protocols",
      )
      .max(1, "each protocol once")
      .prefault([])
      .describe(
        "Protocols that a request may ask to switch to: `websocket` (RFC 6455). All others, and those that a route does not list, are refused; `h2c` is ignored.",
      ),
    limits: z
      .strictObject({
        bodyBytes: byteSize({ min: "0B", max: "1024GiB" })
          .prefault("1GiB")
          .describe(
            "Bytes of a request body; beyond it 413. It is streamed, never held as a whole.",
          ),
      })
      .readonly()
      .prefault({})
      .describe("Limits on what the route takes."),
    limit: routeRatesSchema
      .optional()
      .describe(
        "How often it may be requested: a rate, the name of one under `limits.rates`, or a list of up to 8. Only what policies permit is counted. Beyond it the answer is 429 `rate-limited` with `retry-after`; each answer has the `ratelimit` fields.",
      ),
    concurrency: routeConcurrencySchema
      .optional()
      .describe("How many requests may be in flight at once: one limit or a list of up to 8."),
    cost: costSchema,
    attributes: attributesSchema
      .prefault({})
      .describe(
        "Attributes of the resource in policies, beside its service's; the route's own win. Text, boolean, whole number or list of texts.",
      ),
    accept: acceptSchema
      .prefault([])
      .describe(
        "Findings of `sallyport check` about this route that are as they should be, each with the reason.",
      ),
  })
  .superRefine(checkRoute)
  .readonly();

/** As the user writes it. */
export type RouteInput = z.input<typeof routeSchema>;
/** Checked, durations in milliseconds, sizes in bytes. */
export type RouteOptions = z.output<typeof routeSchema>;
