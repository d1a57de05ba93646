/** Paths in a configuration are relative to its file, wherever the process was started. */
import { resolve } from "node:path";
import type { AdminOptions } from "../admin/admin-options.ts";
import type { AuditOptions } from "../audit/audit-options.ts";
import type { SinkOptions } from "../audit/sinks/sink-options.ts";
import {
  type AuthorityOptions,
  isFollower,
  type KeySource,
} from "../authority/authority-options.ts";
import { mapClientFiles } from "../authority/client-options.ts";
import { mapEgressFiles } from "../egress/egress-files.ts";
import type { CredentialsOptions } from "../gate/credential-options.ts";
import { mapAuthenticatorFiles } from "../identity/authenticator-options.ts";
import { workloadAddress } from "../identity/spiffe/workload-api-options.ts";
import { mapListenerFiles, mapServiceFiles } from "../http/tls-options.ts";
import { redisSocket, withRedisSocket } from "../memory/redis-url.ts";
import type { SharedOptions } from "../memory/shared-options.ts";
import { resolveBundle } from "./bundled-policies.ts";
import type { PolicyOptions } from "../policy/policy-options.ts";
import type { AccessLogOptions } from "../telemetry/access-log/access-log-options.ts";
import type { TracingOptions } from "../telemetry/traces/trace-options.ts";
import type { Config, OwnConfig } from "./schema.ts";

/** Of what a follower's own file says, and of the same parts of a whole configuration. */
export function resolveOwnPaths<T extends OwnConfig | Config>(config: T, folder: string): T {
  return {
    ...config,
    ...(config.admin === undefined ? {} : { admin: resolveAdmin(config.admin, folder) }),
    listeners: config.listeners.map((listener) => {
      const { tls } = listener;
      if (tls === undefined) return listener;
      return { ...listener, tls: mapListenerFiles(tls, (file) => resolve(folder, file)) };
    }),
    ...(config.authority === undefined
      ? {}
      : { authority: resolveAuthority(config.authority, folder) }),
    ...(config.workloadApi === undefined
      ? {}
      : {
          workloadApi: {
            ...config.workloadApi,
            address: workloadAddress(config.workloadApi.address, (file) => resolve(folder, file)),
          },
        }),
    ...(config.egress === undefined
      ? {}
      : { egress: mapEgressFiles(config.egress, (file) => resolve(folder, file)) }),
    ...(config.shared === undefined ? {} : { shared: resolveShared(config.shared, folder) }),
    ...(config.tracing === undefined ? {} : { tracing: resolveTracing(config.tracing, folder) }),
    supervisor: { ...config.supervisor, folder: resolve(folder, config.supervisor.folder) },
    audit: resolveAudit(config.audit, folder),
    ...(config.usage?.path === undefined
      ? {}
      : { usage: { ...config.usage, path: resolve(folder, config.usage.path) } }),
    ...(config.accessLog === undefined
      ? {}
      : { accessLog: resolveAccessLog(config.accessLog, folder) }),
  };
}

export function resolvePaths(config: Config, folder: string): Config {
  const authenticators = Object.entries(config.authenticators).map(([name, options]) => [
    name,
    mapAuthenticatorFiles(options, (file) => resolve(folder, file)),
  ]);
  return {
    ...resolveOwnPaths(config, folder),
    routes: config.routes.map((route) => ({
      ...route,
      credentials: resolveSecret(route.credentials, folder),
    })),
    services: Object.fromEntries(
      Object.entries(config.services).map(([name, service]) => {
        const { tls, openapi, descriptors } = service;
        return [
          name,
          {
            ...service,
            ...(tls && { tls: mapServiceFiles(tls, (file) => resolve(folder, file)) }),
            ...(openapi === undefined ? {} : { openapi: resolve(folder, openapi) }),
            ...(descriptors === undefined ? {} : { descriptors: resolve(folder, descriptors) }),
          },
        ];
      }),
    ),
    authenticators: Object.fromEntries(authenticators) as Config["authenticators"],
    policies: resolvePolicies(config.policies, folder),
  };
}

function resolvePolicies(policies: PolicyOptions, folder: string): PolicyOptions {
  const { enforce, shadow, entities, tests, bundle } = policies;
  const absolute = (path: string): string => resolve(folder, path);
  return {
    ...policies,
    ...(enforce && { enforce: enforce.map(absolute) }),
    ...(shadow && { shadow: shadow.map(absolute) }),
    ...(entities && { entities: entities.map(absolute) }),
    tests: tests.map(absolute),
    ...(bundle && { bundle: resolveBundle(bundle, absolute) }),
  };
}

function resolveAudit(audit: AuditOptions, folder: string): AuditOptions {
  const { key, previousKey } = audit.checkpoints;
  return {
    ...audit,
    path: resolve(folder, audit.path),
    sinks: audit.sinks.map((sink) => resolveSink(sink, folder)),
    checkpoints: {
      ...audit.checkpoints,
      ...(key === undefined ? {} : { key: resolve(folder, key) }),
      ...(previousKey === undefined ? {} : { previousKey: resolve(folder, previousKey) }),
    },
  };
}

function resolveAdmin(admin: AdminOptions, folder: string): AdminOptions {
  const { socket, tls } = admin;
  return {
    ...admin,
    ...(socket === undefined ? {} : { socket: resolve(folder, socket) }),
    ...(tls === undefined ? {} : { tls: mapListenerFiles(tls, (file) => resolve(folder, file)) }),
  };
}

function resolveTracing(tracing: TracingOptions, folder: string): TracingOptions {
  const { otlp } = tracing;
  if (otlp.ca === undefined) return tracing;
  return { ...tracing, otlp: { ...otlp, ca: resolve(folder, otlp.ca) } };
}

function resolveShared(shared: SharedOptions, folder: string): SharedOptions {
  const { redis, ca } = shared;
  const socket = redisSocket(redis);
  return {
    ...shared,
    redis: socket === undefined ? redis : withRedisSocket(resolve(folder, socket)),
    ...(ca === undefined ? {} : { ca: resolve(folder, ca) }),
  };
}

function resolveSink(sink: SinkOptions, folder: string): SinkOptions {
  if (sink.type === "stdout" || sink.ca === undefined) return sink;
  return { ...sink, ca: resolve(folder, sink.ca) };
}

/** Of a file; `stdout` is none. */
function resolveAccessLog(accessLog: AccessLogOptions, folder: string): AccessLogOptions {
  const { to } = accessLog;
  return to === "stdout" ? accessLog : { ...accessLog, to: resolve(folder, to) };
}

function resolveAuthority(authority: AuthorityOptions, folder: string): AuthorityOptions {
  if (isFollower(authority)) {
    return { ...authority, identity: resolve(folder, authority.identity) };
  }
  const { store, keyEncryptionKey, clients } = authority;
  const source = <T extends KeySource>(key: T): T =>
    "file" in key ? { ...key, file: resolve(folder, key.file) } : key;
  return {
    ...authority,
    store: resolveStore(store, folder),
    keyEncryptionKey: {
      ...source(keyEncryptionKey),
      previous: keyEncryptionKey.previous.map(source),
    },
    ...(clients && { clients: mapClientFiles(clients, (file) => resolve(folder, file)) }),
  };
}

const SQLITE = "sqlite:";

/** Files that a Postgres URL may name. */
const STORE_FILES = ["sslrootcert", "sslcert", "sslkey"] as const;

/** What is no URL stays as it is. */
export function resolveStore(store: string, folder: string): string {
  // What only begins like a path is refused as it is written.
  if (/^sqlite:(?:\/\/|:memory:)/.test(store)) return store;
  if (store.startsWith(SQLITE)) return SQLITE + resolve(folder, store.slice(SQLITE.length));
  const url = URL.parse(store);
  const named = STORE_FILES.filter((name) => url?.searchParams.has(name) === true);
  if (url === null || named.length === 0) return store;
  for (const name of named) {
    url.searchParams.set(name, resolve(folder, url.searchParams.get(name) ?? ""));
  }
  return url.href;
}

function resolveSecret(credentials: CredentialsOptions, folder: string): CredentialsOptions {
  if (typeof credentials === "string") return credentials;
  if ("basic" in credentials) {
    const { basic } = credentials;
    return { basic: { ...basic, passwordFile: resolve(folder, basic.passwordFile) } };
  }
  const { header } = credentials;
  return { header: { ...header, valueFile: resolve(folder, header.valueFile) } };
}

/** Freezes a value and everything in it: a configuration never changes, it is replaced. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  // Bytes cannot be frozen.
  if (ArrayBuffer.isView(value)) return value;
  // Frozen already or not: zod's readonly() freezes an object and leaves what is in it.
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
