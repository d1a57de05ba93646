/**
 * The way of a call to the admin API and back: over the Unix socket, or over HTTPS with a token.
 *
 * Refuses to send a token in plain HTTP to anywhere but this machine: whoever is on the way could use
 * it. Follows no redirect, so a token goes where the operator said and nowhere else.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { SallyportError } from "../model/errors.ts";

const LIMITS = {
  /** The longest wait for an answer: a reload validates thousands of policies. */
  answerMs: 60_000,
  /** Bytes of an answer: a page of 500 entries has some hundred KB. */
  bytes: 16 * 1024 * 1024,
} as const;

export interface AdminCall {
  readonly method: string;
  /** Percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

/** What was answered, when all is well. */
export interface AdminAnswer<T> {
  readonly value: T;
  /** For `ifMatch`. */
  readonly etag: string | undefined;
}

export interface AdminTransport {
  /** Rejects with AdminCallError. The value is what the API's document says; nothing checks it again. */
  call<T>(call: AdminCall): Promise<AdminAnswer<T>>;
}

/** A problem that was answered: what the API's `Problem` says. */
export interface AnsweredProblem {
  readonly status: number;
  readonly title: string;
  readonly reason: string;
  readonly detail?: string | undefined;
  readonly decision?: string | undefined;
  readonly faults?:
    | readonly {
        readonly at: string;
        readonly message: string;
        readonly remedy?: string | undefined;
      }[]
    | undefined;
}

/** No answer, or a problem. */
export class AdminCallError extends SallyportError {
  /** Undefined: there was no answer, or none that is one of ours. */
  readonly problem: AnsweredProblem | undefined;

  constructor(message: string, problem?: AnsweredProblem, options?: { cause?: unknown }) {
    super("admin-call-failed", message, options);
    this.name = "AdminCallError";
    this.problem = problem;
  }
}

/** Where the API is. */
export type AdminPlace =
  | { readonly socket: string }
  | {
      /** `https://host:port`, or `http://` on loopback. */
      readonly url: URL;
      readonly token: string;
      /** PEM of the authorities to trust; the system's when undefined. */
      readonly ca?: string | undefined;
    };

/** Throws AdminCallError for a place to which no token may be sent. */
export function createAdminTransport(place: AdminPlace): AdminTransport {
  if ("url" in place) refuseUnsafe(place.url);
  return {
    async call<T>(call: AdminCall): Promise<AdminAnswer<T>> {
      const { status, headers, text } = await exchange(place, call);
      const json = /^application\/(?:problem\+)?json\b/.test(headers["content-type"] ?? "");
      const body: unknown = json && text !== "" ? parsed(text) : undefined;
      if (status >= 200 && status < 300) return { value: body as T, etag: headers.etag };
      throw "url" in place && !json && (status === 404 || status === 405)
        ? notServed(place.url)
        : problemError(status, body, call);
    },
  };
}

function refuseUnsafe({ protocol, hostname }: URL): void {
  if (protocol === "https:") return;
  const local = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  if (protocol === "http:" && local) return;
  throw new AdminCallError(
    `a token is not sent to ${protocol}//${hostname}: https://, or http:// on this machine`,
  );
}

interface Received {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

function exchange(place: AdminPlace, call: AdminCall): Promise<Received> {
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const options: RequestOptions = {
    method: call.method,
    path: call.path + queryOf(call.query),
    headers: headersOf(place, call, text),
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => reject(unanswered(place, cause));
    const outgoing =
      "socket" in place
        ? httpRequest({ ...options, socketPath: place.socket })
        : place.url.protocol === "https:"
          ? httpsRequest(place.url, { ...options, ca: place.ca })
          : httpRequest(place.url, options);
    outgoing.setTimeout(LIMITS.answerMs, () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("error", failed);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LIMITS.bytes) outgoing.destroy(new Error("the answer is too long"));
        else chunks.push(chunk);
      });
      response.on("error", failed);
      response.on("end", () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    outgoing.end(text);
  });
}

function queryOf(query: AdminCall["query"] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function headersOf(
  place: AdminPlace,
  call: AdminCall,
  text: string | undefined,
): Record<string, string> {
  const given = Object.entries(call.headers ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    accept: "application/json",
    ...Object.fromEntries(given),
    ...("socket" in place ? { host: "localhost" } : { authorization: `Bearer ${place.token}` }),
    ...(text === undefined
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) }),
  };
}

/** Never the token: it is in no message of these. */
function unanswered(place: AdminPlace, cause: unknown): AdminCallError {
  const where = "socket" in place ? place.socket : place.url.origin;
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = REASONS[code ?? ""] ?? code ?? message;
  return new AdminCallError(`${where} gives no answer: ${why}`, undefined, { cause });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket; is sallyport run there, with admin.socket?",
  ECONNREFUSED: "nobody listens there; is sallyport running?",
  EACCES: "only the user that sallyport runs as may open it",
};

/** Where there is only `/livez`, `/readyz` and `/metrics`: what it answers is no problem of the API. */
function notServed({ origin }: URL): AdminCallError {
  return new AdminCallError(
    `${origin}: no admin API at this address: admin.authenticate is not set there, or the process was not restarted since`,
  );
}

function problemError(status: number, body: unknown, asked: AdminCall): AdminCallError {
  const problem = body as Partial<AnsweredProblem> | undefined;
  const {
    title = `status ${status}`,
    reason = "unknown",
    detail,
    decision,
    faults = [],
  } = problem ?? {};
  const lines = [
    detail === undefined ? title : `${title}: ${detail}`,
    ...(status === 403 && decision !== undefined
      ? [`  decision  ${decision}  of  ${asked.method} ${asked.path}`]
      : []),
    ...faults.map(({ at, message, remedy }) => [`  ${at}`, message, remedy ?? ""].join("  ")),
  ];
  const known = problem === undefined ? undefined : { ...problem, status, title, reason };
  return new AdminCallError(lines.join("\n").trimEnd(), known);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
