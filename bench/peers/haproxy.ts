/**
 * HAProxy: without authentication, and verifying each request's token (`jwt_verify`, no cache) for
 * its algorithm, signature and expiry, the least that makes it answer as it must.
 */
import { writeFileSync } from "node:fs";
import type { Peer } from "./peer.ts";
import { RECORD_PATHS } from "./peer.ts";
import { publicPem } from "../load/credentials.ts";
import { freePorts } from "../machine/ports.ts";
import { REQUIREMENTS, findProgram } from "../machine/requirements.ts";

export const haproxies: readonly Peer[] = [
  haproxy("haproxy", "HAProxy, no authentication", "none"),
  haproxy("haproxy-rs256", "HAProxy, RS256 `jwt_verify`", "RS256"),
  haproxy("haproxy-tls", "HAProxy over TLS, no authentication", "none", { tls: true }),
  haproxy("haproxy-es256", "HAProxy, ES256 `jwt_verify`", "ES256"),
];

export const haproxyHttp2 = haproxy("haproxy-h2", "HAProxy, no authentication", "none", {
  http2: true,
});
export const haproxyHttp2Tls = haproxy(
  "haproxy-h2-tls",
  "HAProxy over TLS, no authentication",
  "none",
  { tls: true, http2: true },
);
export const haproxyHttp2Both = haproxy(
  "haproxy-h2-h2c",
  "HAProxy to the HTTP/2 service, no authentication",
  "none",
  { http2: true, toHttp2: true },
);

function haproxy(
  name: string,
  title: string,
  authenticates: Peer["authenticates"],
  { tls = false, http2 = false, toHttp2 = false } = {},
): Peer {
  return {
    name,
    title,
    authenticates,
    authorizes: false,
    paths: RECORD_PATHS,
    requires: [REQUIREMENTS.haproxy],
    tls,
    http2,
    async start({ site, core, service, credentials, certificate }) {
      const [port = 0] = await freePorts(1);
      let rules = "";
      if (authenticates !== "none") {
        const pem = site.path(`${name}.pem`);
        writeFileSync(pem, publicPem(credentials[authenticates].signer));
        rules = verifyRules(authenticates, pem);
      }
      const config = site.path(`${name}.cfg`);
      const protocol = tls ? " alpn h2" : " proto h2";
      const bind = `${tls ? ` ssl crt ${certificate.both}` : ""}${http2 ? protocol : ""}`;
      const server = `127.0.0.1:${toHttp2 ? `${service.http2Port} proto h2` : service.port}`;
      writeFileSync(config, haproxyConfig({ port, bind, server, rules }));
      const command = [findProgram("haproxy") ?? "haproxy", "-db", "-f", config];
      return { port, program: site.start(name, command, { core }) };
    },
  };
}

function verifyRules(algorithm: string, pem: string): string {
  return `  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${algorithm} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${pem}") -m int 1 }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
`;
}

function haproxyConfig(options: {
  readonly port: number;
  readonly bind: string;
  readonly server: string;
  readonly rules: string;
}): string {
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  timeout http-keep-alive 3600s
frontend edge
  bind 127.0.0.1:${options.port}${options.bind}
${options.rules}  default_backend billing
backend billing
  http-reuse always
  server service ${options.server}
`;
}
