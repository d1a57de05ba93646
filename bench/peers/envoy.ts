/**
 * Envoy: without authentication, and with what does the same work as Sallyport: `jwt_authn` with its
 * token cache, an RBAC rule on role, method and path, and a JSON access log.
 *
 * Debian has no package of it, so it takes part only where it is found.
 */
import { writeFileSync } from "node:fs";
import type { Peer } from "./peer.ts";
import { RECORD_PATHS } from "./peer.ts";
import { AUDIENCE, ISSUER, keySet } from "../load/credentials.ts";
import { freePorts } from "../machine/ports.ts";
import { REQUIREMENTS, findProgram } from "../machine/requirements.ts";

export const envoys: readonly Peer[] = [
  envoy("envoy", "Envoy, no authentication", "none"),
  envoy("envoy-rs256", "Envoy: RS256 `jwt_authn` with cache, RBAC, access log", "RS256"),
];

/** Its listener takes HTTP/2 by prior knowledge on the same port. */
export const envoysHttp2: readonly Peer[] = [
  { ...envoy("envoy-h2", "Envoy, no authentication", "none"), http2: true },
  {
    ...envoy("envoy-h2-rs256", "Envoy: RS256 `jwt_authn` with cache, RBAC, access log", "RS256"),
    http2: true,
  },
];

/** As many tokens as Envoy keeps by itself; more than the load has. */
const CACHED_TOKENS = 100;

function envoy(name: string, title: string, authenticates: "none" | "RS256"): Peer {
  return {
    name,
    title,
    authenticates,
    authorizes: authenticates !== "none",
    paths: RECORD_PATHS,
    requires: [REQUIREMENTS.envoy],
    optional: true,
    async start({ site, core, service, credentials }) {
      const [port = 0] = await freePorts(1);
      const config = site.path(`${name}.json`);
      const filters: Typed[] = [];
      const accessLog: Typed[] = [];
      if (authenticates === "RS256") {
        const keys = site.path(`${name}-jwks.json`);
        writeFileSync(keys, keySet([credentials.RS256.signer]));
        filters.push(jwtFilter(keys), rbacFilter());
        accessLog.push(fileLog(site.path(`${name}-access.log`)));
      }
      writeFileSync(
        config,
        JSON.stringify(envoyConfig({ port, service: service.port, filters, accessLog })),
      );
      const program = findProgram("envoy") ?? "envoy";
      const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"];
      return { port, program: site.start(name, [program, "-c", config, ...flags], { core }) };
    },
  };
}

/** A named extension with its type, as Envoy's configuration writes them. */
interface Typed {
  readonly name: string;
  readonly typed_config: { readonly "@type": string; readonly [option: string]: unknown };
}

function typed(name: string, type: string, options: Readonly<Record<string, unknown>>): Typed {
  return {
    name,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...options },
  };
}

function jwtFilter(keys: string): Typed {
  return typed("envoy.filters.http.jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication", {
    providers: {
      corp: {
        issuer: ISSUER,
        audiences: [AUDIENCE],
        local_jwks: { filename: keys },
        payload_in_metadata: "claims",
        jwt_cache_config: { jwt_cache_size: CACHED_TOKENS },
      },
    },
    rules: [{ match: { prefix: "/" }, requires: { provider_name: "corp" } }],
  });
}

function rbacFilter(): Typed {
  const isGet = { header: { name: ":method", string_match: { exact: "GET" } } };
  const isBilling = { url_path: { path: { prefix: "/billing/" } } };
  const isAdmin = {
    metadata: {
      filter: "envoy.filters.http.jwt_authn",
      path: [{ key: "claims" }, { key: "roles" }],
      value: { list_match: { one_of: { string_match: { exact: "AdminService" } } } },
    },
  };
  return typed("envoy.filters.http.rbac", "filters.http.rbac.v3.RBAC", {
    rules: {
      action: "ALLOW",
      policies: {
        "billing-admins": {
          permissions: [{ and_rules: { rules: [isGet, isBilling] } }],
          principals: [isAdmin],
        },
      },
    },
  });
}

function fileLog(path: string): Typed {
  return typed("envoy.access_loggers.file", "access_loggers.file.v3.FileAccessLog", {
    path,
    log_format: {
      json_format: {
        time: "%START_TIME%",
        id: "%REQ(X-REQUEST-ID)%",
        peer: "%DOWNSTREAM_REMOTE_ADDRESS%",
        subject: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%",
        method: "%REQ(:METHOD)%",
        host: "%REQ(:AUTHORITY)%",
        path: "%REQ(:PATH)%",
        upstream: "%UPSTREAM_HOST%",
        status: "%RESPONSE_CODE%",
        detail: "%RESPONSE_CODE_DETAILS%",
        received: "%BYTES_RECEIVED%",
        sent: "%BYTES_SENT%",
        duration: "%DURATION%",
      },
    },
  });
}

function envoyConfig(options: {
  readonly port: number;
  readonly service: number;
  readonly filters: readonly Typed[];
  readonly accessLog: readonly Typed[];
}): unknown {
  const manager = typed(
    "envoy.filters.network.http_connection_manager",
    "filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: "edge",
      access_log: options.accessLog,
      http_filters: [
        ...options.filters,
        typed("envoy.filters.http.router", "filters.http.router.v3.Router", {}),
      ],
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "billing", timeout: "0s" } }],
          },
        ],
      },
    },
  );
  return {
    static_resources: {
      listeners: [
        {
          name: "edge",
          address: address(options.port),
          filter_chains: [{ filters: [manager] }],
        },
      ],
      clusters: [
        {
          name: "billing",
          type: "STATIC",
          connect_timeout: "5s",
          load_assignment: {
            cluster_name: "billing",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(options.service) } }] }],
          },
        },
      ],
    },
  };
}

function address(port: number): unknown {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
