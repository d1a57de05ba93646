/**
 * A client that never sends the same token twice. wrk cannot sign, and a million prepared requests
 * would not fit its interpreter; this signs each one as it goes, over plain sockets.
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface TokenRun {
  readonly port: number;
  readonly path: string;
  readonly count: number;
  readonly connections: number;
  /** The token of request `index`. */
  readonly token: (index: number) => string;
  /** The whole of request `index`, in place of a GET with its token. */
  readonly request?: (index: number) => string;
}

/** Sends `count` requests, one at a time on each connection. Rejects at the first answer that is not 200. */
export async function sendTokens(run: TokenRun): Promise<void> {
  let next = 0;
  const takeIndex = (): number | undefined => (next < run.count ? next++ : undefined);
  await Promise.all(
    Array.from({ length: run.connections }, async () => {
      const socket = connect(run.port, "127.0.0.1").setNoDelay(true);
      await once(socket, "connect");
      try {
        await sendOn(socket, run, takeIndex);
      } finally {
        socket.destroy();
      }
    }),
  );
}

function sendOn(socket: Socket, run: TokenRun, takeIndex: () => number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const send = (): void => {
      const index = takeIndex();
      if (index === undefined) {
        resolve();
        return;
      }
      socket.write(
        run.request?.(index) ??
          `GET ${run.path} HTTP/1.1\r\nhost: 127.0.0.1:${run.port}\r\nauthorization: Bearer ${run.token(index)}\r\n\r\n`,
      );
    };
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      received += text;
      const end = answerEnd(received);
      if (end === undefined) return;
      const status = answerStatus(received);
      if (status !== 200) {
        reject(new Error(`a good token was answered with ${status}`));
        return;
      }
      received = received.slice(end);
      send();
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    send();
  });
}

/** Index behind a whole answer that has a Content-Length, or undefined while it is not whole. */
export function answerEnd(text: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, head + 2));
  if (length === null) throw new Error("an answer without a Content-Length");
  const end = head + 4 + Number(length[1]);
  return text.length >= end ? end : undefined;
}

/** The status of an answer whose first line is whole. */
export function answerStatus(text: string): number {
  return Number(text.slice(9, 12));
}
