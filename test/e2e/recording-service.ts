/**
 * A service that keeps every byte it got, connection by connection, and answers each request that
 * it can read strictly. What it cannot read it keeps too, and closes. A script makes it misbehave.
 */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { readRequests, type StrictRequest } from "./strict-http1.ts";

/** What reached the service over one connection. */
export interface RecordedConnection {
  /** One character a byte. */
  readonly text: string;
  readonly closed: boolean;
}

/** An answer as it goes onto the wire; `close` ends the connection after it. */
export interface ScriptedAnswer {
  readonly bytes: string;
  readonly close?: boolean;
}

/** Decides how to answer; undefined for no answer at all. */
export type Script = (request: StrictRequest) => ScriptedAnswer | undefined;

export interface RecordingService {
  /** `host:port`. */
  readonly address: string;
  readonly connections: readonly RecordedConnection[];
  /** From now on; undefined for the ordinary answer, which names what was asked. */
  script(script: Script | undefined): void;
  /** Whether connections that come from now on are taken and never read. */
  stall(stalled: boolean): void;
  /** Forgets closed connections and what open ones have brought so far. */
  forget(): void;
  close(): Promise<void>;
}

export async function startRecordingService(): Promise<RecordingService> {
  const connections: Recorder[] = [];
  let script: Script | undefined;
  let stalled = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(new Recorder(socket, (request) => (script ?? ordinaryAnswer)(request)));
    if (stalled) socket.pause();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `${address}:${port}`,
    connections,
    script: (next) => {
      script = next;
    },
    stall: (next) => {
      stalled = next;
    },
    forget: () => {
      for (let index = connections.length - 1; index >= 0; index -= 1) {
        if (connections[index]?.closed === true) connections.splice(index, 1);
        else connections[index]?.forget();
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.destroy();
      }),
  };
}

/** 200 with what was asked as its body, so that an answer shows whose answer it is. */
export function ordinaryAnswer(request: StrictRequest): ScriptedAnswer {
  const body = JSON.stringify({
    method: request.method,
    target: request.target,
    body: request.body,
  });
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { bytes: request.method === "HEAD" ? head : head + body };
}

class Recorder implements RecordedConnection {
  readonly #socket: Socket;
  text = "";
  closed = false;
  /** Index after the last request that was answered. */
  #answered = 0;

  constructor(socket: Socket, answer: (request: StrictRequest) => ScriptedAnswer | undefined) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.text += chunk;
      this.#answerWhole(answer);
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined);
    socket.on("close", () => (this.closed = true));
  }

  forget(): void {
    this.text = this.text.slice(this.#answered);
    this.#answered = 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #answerWhole(answer: (request: StrictRequest) => ScriptedAnswer | undefined): void {
    const reading = readRequests(this.text.slice(this.#answered));
    this.#answered += reading.position;
    for (const request of reading.messages) {
      const scripted = answer(request);
      if (scripted === undefined) continue;
      this.#socket.write(scripted.bytes, "latin1");
      if (scripted.close === true) this.#socket.end();
    }
    if (reading.end === "invalid") this.#socket.destroy();
  }
}
