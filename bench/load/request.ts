/** One plain request on a connection of its own: for checks, never for load. */
import { request } from "node:http";
import { connect } from "node:http2";
import { request as requestTls } from "node:https";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface GetOptions {
  readonly port: number;
  readonly path: string;
  readonly token?: string;
  /** Over TLS, to whoever answers: every certificate of a bench is its own. */
  readonly tls?: boolean;
  /** Over HTTP/2: by ALPN with TLS, by prior knowledge without. */
  readonly http2?: boolean;
}

const TIMEOUT_MS = 5_000;

export function get(options: GetOptions): Promise<Answer> {
  return options.http2 === true ? getHttp2(options) : getHttp1(options);
}

function getHttp1(options: GetOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = (options.tls === true ? requestTls : request)({
      rejectUnauthorized: false,
      host: "127.0.0.1",
      port: options.port,
      path: options.path,
      agent: false,
      timeout: TIMEOUT_MS,
      headers: fieldsOf(options),
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

function getHttp2(options: GetOptions): Promise<Answer> {
  const origin = `${options.tls === true ? "https" : "http"}://127.0.0.1:${options.port}`;
  return new Promise<Answer>((resolve, reject) => {
    const session = connect(origin, { rejectUnauthorized: false });
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    session.once("error", fail);
    const stream = session.request({ ":path": options.path, ...fieldsOf(options) });
    let status = 0;
    let body = "";
    stream.setTimeout(TIMEOUT_MS, () => fail(new Error("no answer in time")));
    stream.setEncoding("utf8");
    stream.once("error", fail);
    stream.once("response", (headers) => (status = headers[":status"] ?? 0));
    stream.on("data", (text: string) => (body += text));
    stream.once("end", () => {
      session.close();
      resolve({ status, body });
    });
  });
}

function fieldsOf({ token }: GetOptions): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
