/** One plain request on a connection of its own: for checks, never for load. */
import { request } from "node:http";
import { request as requestTls } from "node:https";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const TIMEOUT_MS = 5_000;

export function get(options: {
  readonly port: number;
  readonly path: string;
  readonly token?: string;
  /** Over TLS, to whoever answers: every certificate of a bench is its own. */
  readonly tls?: boolean;
}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = (options.tls === true ? requestTls : request)({
      rejectUnauthorized: false,
      host: "127.0.0.1",
      port: options.port,
      path: options.path,
      agent: false,
      timeout: TIMEOUT_MS,
      headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      let body = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (text: string) => (body += text));
      incoming.once("error", reject);
      incoming.once("end", () => resolve({ status: incoming.statusCode ?? 0, body }));
    });
    outgoing.end();
  });
}
