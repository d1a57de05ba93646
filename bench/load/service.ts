/**
 * The service behind every peer: nginx with a 130-byte JSON answer, and on another port the count of
 * requests that it has seen.
 */
import { writeFileSync } from "node:fs";
import { get } from "./request.ts";
import type { Program, Site } from "../machine/site.ts";
import { freePorts } from "../machine/ports.ts";
import { findProgram } from "../machine/requirements.ts";
import { until } from "../machine/until.ts";

export interface Service {
  readonly program: Program;
  readonly port: number;
  /** The same over HTTP/2 (prior knowledge); here it answers calls of `GRPC_PATH` as well. */
  readonly http2Port: number;
  /** What it answers to anything. */
  readonly body: string;
  /** Requests it has answered since it started, those for this count left out. */
  requestsSeen(): Promise<number>;
}

/** A unary method: a message comes back whatever was sent, and then `grpc-status: 0`. */
export const GRPC_PATH = "/bench.Echo/Say";
/** A gRPC message: not compressed, its length, its bytes. */
export const GRPC_MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 64]), Buffer.alloc(64, "m")]);

const BODY_BYTES = 130;

export async function startService(site: Site, core: number): Promise<Service> {
  const [port = 0, http2Port = 0, countPort = 0] = await freePorts(3);
  const body = JSON.stringify({ service: "billing", records: [], filler: "" });
  const answer = body.replace('"filler":""', `"filler":"${"x".repeat(BODY_BYTES - body.length)}"`);
  const config = site.path("service.conf");
  writeFileSync(site.path("grpc-reply"), GRPC_MESSAGE);
  const ports = { port, http2Port, countPort };
  writeFileSync(config, serviceConfig({ folder: site.folder, ...ports, answer }));
  const nginx = findProgram("nginx") ?? "nginx";
  const program = site.start("service", [nginx, "-p", site.folder, "-c", config], { core });
  await until(`the service answers on ${port}`, program, async () => {
    const { status } = await get({ port, path: "/" });
    return status === 200;
  });
  let countRequests = 0;
  return {
    program,
    port,
    http2Port,
    body: answer,
    async requestsSeen() {
      const { body: text } = await get({ port: countPort, path: "/" });
      countRequests += 1;
      return parseRequestsSeen(text) - countRequests;
    },
  };
}

/** The third number below `server accepts handled requests` (ngx_http_stub_status_module). */
export function parseRequestsSeen(text: string): number {
  const found = /^ \d+ \d+ (\d+) $/m.exec(text);
  if (found === null) throw new TypeError("not a status page of nginx");
  return Number(found[1]);
}

function serviceConfig(options: {
  readonly folder: string;
  readonly port: number;
  readonly http2Port: number;
  readonly countPort: number;
  readonly answer: string;
}): string {
  // Started by root, nginx would serve as somebody who may not look into the site's folder.
  const user = process.getuid?.() === 0 ? "user root;\n" : "";
  return `${user}daemon off;
worker_processes 1;
pid ${options.folder}/service.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  default_type application/json;
  # Connections live as long as the run, so that no peer pays for new ones by chance.
  keepalive_timeout 3600s;
  keepalive_requests 100000000;
  client_body_temp_path ${options.folder}/service-body;
  proxy_temp_path ${options.folder}/service-proxy;
  fastcgi_temp_path ${options.folder}/service-fastcgi;
  uwsgi_temp_path ${options.folder}/service-uwsgi;
  scgi_temp_path ${options.folder}/service-scgi;
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    listen 127.0.0.1:${options.http2Port} http2 backlog=4096;
    location / { return 200 '${options.answer}'; }
    # A file is not to be posted to, and so the file is what comes of it.
    location = ${GRPC_PATH} { error_page 405 =200 /grpc-reply; return 405; }
    location = /grpc-reply {
      internal;
      root ${options.folder};
      default_type application/grpc;
      etag off;
      if_modified_since off;
      add_trailer grpc-status 0;
    }
  }
  server {
    listen 127.0.0.1:${options.countPort};
    location / { stub_status; }
  }
}
`;
}
