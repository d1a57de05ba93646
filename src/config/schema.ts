/**
 * The whole of `sallyport.yaml`, composed of what each module says about its own options. Nothing is
 * decided here but which key belongs to whom.
 */
import { z } from "zod";
import { adminSchema } from "../admin/admin-options.ts";
import { auditSchema } from "../audit/audit-options.ts";
import { authoritySchema } from "../authority/authority-options.ts";
import { egressSchema } from "../egress/egress-options.ts";
import { serviceIdentityShape } from "../gate/identity-options.ts";
import { serviceOperationsShape } from "../gate/operations/operation-options.ts";
import { serviceResourceShape } from "../gate/resource-options.ts";
import { routeSchema } from "../gate/route-options.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { serviceSchema as upstreamSchema } from "../http/service-options.ts";
import {
  type AuthenticatorOptions,
  authenticatorSchema,
} from "../identity/authenticator-options.ts";
import { dpopSchema } from "../identity/dpop/dpop-options.ts";
import { assertionsSchema } from "../keys/assertion-key-options.ts";
import { workloadApiSchema } from "../identity/spiffe/workload-api-options.ts";
import { failureBudgetSchema } from "../limits/failure-budget.ts";
import { sharedRateSchema } from "../limits/limit-options.ts";
import { usageSchema } from "../limits/usage/usage-options.ts";
import { sharedSchema } from "../memory/shared-options.ts";
import { attributesSchema, nameSchema } from "../model/options.ts";
import { signsSchema } from "../telemetry/signs/signs-options.ts";
import { acceptSchema } from "../policy/findings/acceptance.ts";
import { policyOptionsSchema } from "../policy/policy-options.ts";
import { tracingSchema } from "../telemetry/traces/trace-options.ts";
import { logSchema } from "../telemetry/log-options.ts";
import { accessLogSchema } from "../telemetry/access-log/access-log-options.ts";
import {
  reloadSchema,
  shutdownSchema,
  supervisorSchema,
  workersSchema,
} from "./process-options.ts";

export { authenticatorSchema, type AuthenticatorOptions };

/** How a service is reached, and what policies know of it. */
export const serviceSchema = upstreamSchema.extend({
  ...serviceIdentityShape,
  ...serviceResourceShape,
  ...serviceOperationsShape,
  attributes: attributesSchema
    .prefault({})
    .describe(
      "Attributes that the service's routes carry as resources in policies. Text, boolean, whole number or list of texts.",
    ),
  accept: acceptSchema
    .prefault([])
    .describe(
      "Findings of `sallyport check` about this service and its routes that are as they should be, each with the reason.",
    ),
});

/** What callers may cost, apart from single routes and listeners. */
export const limitsSchema = z
  .strictObject({
    failures: failureBudgetSchema
      .prefault({})
      .describe(
        "Budget of failed credentials of each address. Beyond it the answer is 429, and nothing is verified.",
      ),
    rates: z
      .record(nameSchema, sharedRateSchema)
      .prefault({})
      .describe(
        "Rates that several routes count together, by name. Routes name them in `limit`; `by: route` then means all requests of all of them.",
      ),
  })
  .readonly()
  .prefault({})
  .describe("What callers may cost.");

export const configSchema = z.strictObject({
  version: z.literal(1).describe("Version of this format."),
  listeners: z
    .array(listenerSchema)
    .prefault([])
    .describe(
      "Where callers connect: at least one, except in a process that only serves the feed (`authority.serve`) or is only a sidecar (`egress`).",
    ),
  admin: adminSchema.optional().describe("Where operators look."),
  workloadApi: workloadApiSchema.optional(),
  authenticators: z
    .record(nameSchema, authenticatorSchema)
    .prefault({})
    .describe("Ways to know a caller, by name. Routes say which of them count."),
  dpop: dpopSchema,
  shared: sharedSchema.optional(),
  services: z
    .record(nameSchema, serviceSchema)
    .describe("What permitted requests are forwarded to, by name."),
  routes: z
    .array(routeSchema)
    .describe(
      "Which requests go to which service: at least one route, except in a process that is only a sidecar (`egress`). What none names is answered 404.",
    ),
  limits: limitsSchema,
  policies: policyOptionsSchema,
  authority: authoritySchema.optional(),
  assertions: assertionsSchema.optional(),
  egress: egressSchema.optional(),
  audit: auditSchema.describe("The record of every decision."),
  usage: usageSchema.optional(),
  tracing: tracingSchema.optional(),
  accessLog: accessLogSchema.optional(),
  log: logSchema.prefault({}),
  signs: signsSchema
    .optional()
    .describe(
      "What is taken for a sign of a breach ([signs](signs.md)); `{}` for all rules with their defaults. When left out, none is looked for.",
    ),
  reload: reloadSchema.prefault({}).describe("When the configuration is read again."),
  workers: workersSchema,
  supervisor: supervisorSchema.prefault({}).describe("Where workers find their supervisor."),
  shutdown: shutdownSchema.prefault({}).describe("How the process ends."),
});

/** Of a proxy that follows a feed: what its own file may say. */
export const ownSchema = configSchema
  .omit({
    services: true,
    routes: true,
    authenticators: true,
    dpop: true,
    limits: true,
    policies: true,
    assertions: true,
  })
  .required({ authority: true });

/** As the user writes it. */
export type ConfigInput = z.input<typeof configSchema>;
/** Checked: durations in milliseconds, sizes in bytes, defaults filled in. */
export type Config = z.output<typeof configSchema>;
/** A follower's own part of it; the rest comes over the feed. */
export type OwnConfig = z.output<typeof ownSchema>;
export type ServiceOptions = z.output<typeof serviceSchema>;
export type LimitsOptions = z.output<typeof limitsSchema>;
