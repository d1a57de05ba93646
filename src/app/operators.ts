/** What operators see and change: the parts of a running process as the admin API asks for them. */
import type {
  AdminDeps,
  AuthenticatorView,
  ProcessStatus,
  RunningConfig,
  ServiceView,
} from "../admin/admin-deps.ts";
import type { AdminCalls, AdminCallsDeps } from "../admin/admin-calls.ts";
import { createAdminHandler } from "../admin/admin-handler.ts";
import { type AdminDoor, apiDoors } from "../admin/admin-options.ts";
import type { MetricsText, Readiness } from "../admin/health.ts";
import { isKeeper } from "../authority/authority-options.ts";
import { keysAuthenticator } from "../config/keys-authenticator.ts";
import type { Config } from "../config/schema.ts";
import type { GateDeps } from "../gate/step.ts";
import { endpointName } from "../http/endpoint.ts";
import { tokensOf } from "../identity/authenticator-options.ts";
import type { JsonObject } from "../model/json.ts";
import { type PolicyRoles, policyRoles } from "../policy/policy-roles.ts";
import { productVersion, runtimeVersion } from "../platform/version.ts";
import { standingWith } from "../limits/usage/quota-standings.ts";
import { createUsageDesk, type UsageDesk } from "../limits/usage/usage-desk.ts";
import type { Quotas } from "./quotas.ts";
import { namingUsage } from "./usage-names.ts";
import { createExplainer } from "../review/explain-thread.ts";
import type { Backing } from "./authority/backing.ts";
import type { RunningSnapshot } from "./build-snapshot.ts";
import type { ConfigStatus } from "./config-status.ts";
import { createEvaluations } from "./evaluations.ts";
import type { Doors } from "./front-desk.ts";
import type { Instruments } from "./instruments.ts";
import type { Prepared } from "./prepare.ts";

export interface OperatorParts {
  readonly instruments: Instruments;
  readonly backing: Backing | undefined;
  readonly gate: GateDeps;
  /** In force now: what calls are decided by, and how its authenticators do. */
  readonly snapshot: () => Pick<RunningSnapshot, "admin" | "authenticators">;
  readonly prepared: () => Prepared;
  readonly status: ConfigStatus;
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly metrics: (accept: string | undefined) => MetricsText | Promise<MetricsText>;
  readonly listeners: () => ProcessStatus["listeners"];
  readonly workers: () => ProcessStatus["workers"];
  readonly reload: () => Promise<void>;
  readonly drain: () => void;
}

export async function createDoors(parts: OperatorParts): Promise<Doors> {
  const { status } = parts;
  const { clock } = parts.instruments;
  const deps = {
    clock,
    readiness: async () => ({ ...(await parts.readiness()), config: status.detail() }),
    metrics: parts.metrics,
  };
  const { address, socket } = await openCalls(parts);
  return {
    address: createAdminHandler(deps, address),
    socket: createAdminHandler(deps, socket),
  };
}

/** The section is the same until a restart. */
async function openCalls(parts: OperatorParts): Promise<Partial<Record<AdminDoor, AdminCalls>>> {
  const { admin } = parts.prepared().loaded.config;
  const doors = [...apiDoors(admin ?? {})];
  if (doors.length === 0) return {};
  const deps: AdminCallsDeps = {
    ...adminDeps(parts),
    gate: parts.gate,
    snapshots: () => parts.snapshot().admin,
    completed: (route, outcome) => parts.instruments.requests.completed(route, outcome),
  };
  const { createAdminCalls } = await import("../admin/admin-calls.ts");
  return Object.fromEntries(doors.map((door) => [door, createAdminCalls(deps, door)]));
}

function adminDeps(parts: OperatorParts): AdminDeps {
  const { clock, log } = parts.instruments;
  const { registers } = parts.backing ?? {};
  const startedMs = clock.now();
  return {
    clock,
    log,
    process: {
      status: async () => await processStatus(parts, startedMs),
      reload: parts.reload,
      drain: parts.drain,
    },
    config: { running: () => runningConfig(parts) },
    decisions: { explain: createExplainer(parts.prepared().loaded.config.audit.path) },
    ...usageDesk(parts),
    evaluations: createEvaluations(parts),
    ...(registers && {
      store: registers.store,
      workloads: registers.workloads,
      revocations: registers.revocations,
      apiKeys: registers.apiKeys,
      clients: registers.clients,
      keys: registers.keys,
      roots: registers.ca,
      bundles: registers.bundles,
    }),
  };
}

/** The section and the log stay as they are until a restart. */
function usageDesk({ prepared, instruments }: OperatorParts): Pick<AdminDeps, "usage"> {
  const { usage, audit } = prepared().loaded.config;
  if (usage === undefined) return {};
  const { clock, quotas } = instruments;
  const own = createUsageDesk(usage, audit.path);
  const desk = usage.across === "cluster" ? withOthers(own, quotas) : own;
  return { usage: namingUsage(desk, audit.path, clock) };
}

/** The book has what was let through here; the quotas also what other machines let through. */
function withOthers(desk: UsageDesk, quotas: Quotas): UsageDesk {
  return {
    report: (query) => desk.report(query),
    quotas: async (query) => {
      const standings = await desk.quotas(query);
      return standings.map((one) => {
        const all = quotas.meter?.known(one.principal, one.quota.per, one.fromMs);
        return all === undefined ? one : standingWith(one, all);
      });
    },
  };
}

async function processStatus(parts: OperatorParts, startedMs: number): Promise<ProcessStatus> {
  const { ready, checks } = await parts.readiness();
  const { backing } = parts;
  return {
    version: productVersion(),
    runtime: runtimeVersion(),
    role: backing?.role(parts.listeners().length > 0) ?? "single",
    pid: process.pid,
    startedMs,
    ready,
    checks,
    listeners: parts.listeners(),
    workers: parts.workers(),
    feed: backing?.feed(),
    followers: backing?.followers(),
    follows: backing?.follows?.(),
    serves: backing?.serves,
  };
}

function runningConfig(parts: OperatorParts): RunningConfig {
  const { status, instruments } = parts;
  const { loaded } = parts.prepared();
  const { config } = loaded;
  const { hash, since, notReloaded, failingTests } = status.detail();
  return {
    hash,
    sinceMs: Date.parse(since),
    written: JSON.parse(loaded.shown) as JsonObject,
    ...(failingTests === undefined ? {} : { failingTests }),
    ...(notReloaded && { notReloaded: { ...notReloaded, atMs: Date.parse(notReloaded.at) } }),
    routes: config.routes.map(({ name, host, path, methods, service, authenticate }) => {
      return { name, host, path, methods, service, authenticate };
    }),
    services: Object.entries(config.services).map((entry) => serviceView(entry, instruments)),
    authenticators: authenticatorViews(parts, config),
    clients: clientViews(config),
    policyRoles: () => rolesOf(parts.prepared()),
  };
}

function serviceView(
  [name, options]: [string, Config["services"][string]],
  { upstreams }: Instruments,
): ServiceView {
  const view = upstreams.view(name);
  const written = options.endpoints.map((endpoint) => ({
    address: endpointName(endpoint),
    state: undefined,
    requests: undefined,
    connections: undefined,
  }));
  const shown = view?.endpoints.map(({ name: address, ...figures }) => ({ address, ...figures }));
  return { name, balance: options.balance, endpoints: shown ?? written, waiting: view?.waiting };
}

function clientViews({ authority }: Config): RunningConfig["clients"] {
  if (!isKeeper(authority)) return undefined;
  return Object.entries(authority.clients ?? {}).map(([id, { roles, groups, attributes }]) => {
    return { id, roles, groups, attributes };
  });
}

/** Asked once for each set of policies. */
const ROLES = new WeakMap<Prepared["policies"], PolicyRoles>();

function rolesOf({ policies }: Prepared): PolicyRoles {
  let known = ROLES.get(policies);
  if (known === undefined) {
    known = policyRoles(policies);
    ROLES.set(policies, known);
  }
  return known;
}

function authenticatorViews(parts: OperatorParts, config: Config): AuthenticatorView[] {
  const running = parts.snapshot().authenticators();
  const ours = keysAuthenticator(Object.entries(config.authenticators));
  return Object.entries(config.authenticators).map(([name, options]) => {
    const tokens = tokensOf(options);
    return {
      name,
      type: options.type,
      issuer: tokens?.by === "issuer" ? tokens.issuer : undefined,
      apiKeys: options.type === "api-key" ? options : undefined,
      clients: name === ours?.name ? ours.principal : undefined,
      keys: running.get(name)?.keys(),
    };
  });
}
