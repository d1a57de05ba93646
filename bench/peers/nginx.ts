/** nginx `proxy_pass`, without authentication and without a log: what carrying bytes costs. */
import { writeFileSync } from "node:fs";
import type { Peer } from "./peer.ts";
import { RECORD_PATHS } from "./peer.ts";
import { freePorts } from "../machine/ports.ts";
import { REQUIREMENTS, findProgram } from "../machine/requirements.ts";

export const nginxes: readonly Peer[] = [
  nginx("nginx", "nginx `proxy_pass`, no authentication"),
  nginx("nginx-tls", "nginx `proxy_pass` over TLS, no authentication", { tls: true }),
];

/** Debian's nginx speaks HTTP/2 or HTTP/1.1 on a cleartext port, never both. */
export const nginxHttp2 = nginx("nginx-h2", "nginx `proxy_pass`, no authentication", {
  http2: true,
});

function nginx(name: string, title: string, { tls = false, http2 = false } = {}): Peer {
  return {
    name,
    title,
    authenticates: "none",
    authorizes: false,
    paths: RECORD_PATHS,
    requires: [REQUIREMENTS.nginx],
    tls,
    http2,
    async start({ site, core, service, certificate }) {
      const [port = 0] = await freePorts(1);
      const config = site.path(`${name}.conf`);
      const lines = tls
        ? `ssl_certificate ${certificate.certificate}; ssl_certificate_key ${certificate.key}; ssl_session_cache shared:tls:4m;`
        : "";
      const listen = `127.0.0.1:${port}${tls ? " ssl" : ""}${http2 ? " http2" : ""}`;
      const options = { name, folder: site.folder, listen, service: service.port, tls: lines };
      writeFileSync(config, nginxConfig(options));
      const command = [findProgram("nginx") ?? "nginx", "-p", site.folder, "-c", config];
      return { port, program: site.start(name, command, { core }) };
    },
  };
}

function nginxConfig(options: {
  readonly name: string;
  readonly tls: string;
  readonly folder: string;
  readonly listen: string;
  readonly service: number;
}): string {
  return `daemon off;
worker_processes 1;
pid ${options.folder}/${options.name}.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 100000000;
  client_body_temp_path ${options.folder}/nginx-body;
  proxy_temp_path ${options.folder}/nginx-proxy;
  fastcgi_temp_path ${options.folder}/nginx-fastcgi;
  uwsgi_temp_path ${options.folder}/nginx-uwsgi;
  scgi_temp_path ${options.folder}/nginx-scgi;
  upstream service {
    server 127.0.0.1:${options.service};
    keepalive 256;
    keepalive_timeout 3600s;
    keepalive_requests 100000000;
  }
  server {
    listen ${options.listen} backlog=4096;
    ${options.tls}
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }
  }
}
`;
}
