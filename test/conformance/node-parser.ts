/**
 * Node's own HTTP parser as a peer: what a `node:http` server or client makes of a byte stream. The
 * stream goes in through memory, with no socket. Only on Node: Bun has another parser behind the same
 * module.
 */
import { createServer, type IncomingMessage, request as ask } from "node:http";
import { Duplex } from "node:stream";

export const NODE_PARSER_ABSENT =
  process.versions["bun"] === undefined ? false : "the peer is Node's parser; this is Bun";

export interface NodeRequest {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  /** Flat, names lower-cased. */
  readonly fields: readonly string[];
  /** latin1. */
  body: string;
  trailers: readonly string[];
  /** Whether the body with its trailers came to its end. */
  complete: boolean;
}

/** The requests that Node reads from the stream, to its end or to the first error. */
export async function readWithNode(bytes: Buffer): Promise<NodeRequest[]> {
  const requests: NodeRequest[] = [];
  const server = createServer((message, response) => {
    const request = nodeRequest(message);
    requests.push(request);
    message.on("data", (data: Buffer) => (request.body += data.toString("latin1")));
    message.on("error", () => undefined);
    message.on("end", () => {
      request.complete = message.complete;
      request.trailers = lowerNames(message.rawTrailers);
      response.end();
    });
  });
  const stream = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  // Not at once: requests that were read before the error still have to end.
  server.on("clientError", () => setImmediate(() => stream.destroy()));
  const closed = new Promise((resolve) => stream.on("close", resolve));
  server.emit("connection", stream);
  stream.push(bytes);
  stream.push(null);
  await closed;
  return requests;
}

export interface NodeResponse {
  readonly status: number;
  readonly minorVersion: number;
  /** Flat, names lower-cased. */
  readonly fields: readonly string[];
  /** latin1. */
  body: string;
  trailers: readonly string[];
  complete: boolean;
}

/** The final answer that Node reads from the stream, whose end is that of the connection. */
export async function readAnswerWithNode(
  bytes: Buffer,
  method: string,
): Promise<NodeResponse | undefined> {
  let answer: NodeResponse | undefined;
  const stream = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  const closed = new Promise((resolve) => stream.on("close", resolve));
  const asked = ask({ method, createConnection: () => stream });
  asked.on("response", (message) => {
    const response = nodeResponse(message);
    answer = response;
    message.on("data", (data: Buffer) => (response.body += data.toString("latin1")));
    message.on("error", () => undefined);
    message.on("end", () => {
      response.complete = message.complete;
      response.trailers = lowerNames(message.rawTrailers);
    });
  });
  asked.on("upgrade", (_message, socket) => socket.destroy());
  asked.on("error", () => undefined);
  asked.end();
  // Once the request has its socket: what comes before is not read as an answer.
  await new Promise(setImmediate);
  stream.push(bytes);
  stream.push(null);
  await new Promise(setImmediate);
  stream.destroy();
  await closed;
  return answer;
}

function nodeResponse(message: IncomingMessage): NodeResponse {
  return {
    status: message.statusCode ?? 0,
    minorVersion: message.httpVersionMinor,
    fields: lowerNames(message.rawHeaders),
    body: "",
    trailers: [],
    complete: false,
  };
}

function nodeRequest(message: IncomingMessage): NodeRequest {
  return {
    method: message.method ?? "",
    target: message.url ?? "",
    minorVersion: message.httpVersionMinor,
    fields: lowerNames(message.rawHeaders),
    body: "",
    trailers: [],
    complete: false,
  };
}

function lowerNames(fields: readonly string[]): string[] {
  return fields.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
}
