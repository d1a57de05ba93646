/**
 * What a supervisor and its workers say to each other over the control socket: one JSON object a
 * line. The hello is the part that other versions must understand; all else is between equals.
 */
import type { Socket } from "node:net";
import type { Problem } from "../../model/errors.ts";
import type { RateVerdict } from "../../model/ports.ts";
import type { RatePolicy } from "../../limits/gcra.ts";
import type { FamilyText } from "../../telemetry/exposition.ts";

const LIMITS = {
  /** Bytes of one line: a part of a configuration, or the metrics of 10 000 routes. */
  line: 64 * 1024 * 1024,
} as const;

/** Workers of another version or runtime are not taken over but replaced. */
export const PROTOCOL = `1 ${process.versions["bun"] === undefined ? "node" : "bun"}`;

export interface Bound {
  readonly name: string;
  readonly scheme: "http" | "https";
  readonly address: string;
}

export type FromWorker =
  | {
      readonly type: "hello";
      readonly protocol: string;
      readonly number: number;
      readonly pid: number;
      /** Where it listens; empty before its first configuration. */
      readonly listeners: readonly Bound[];
    }
  /** The configuration of that revision is in force. */
  | { readonly type: "serving"; readonly revision: number; readonly listeners: readonly Bound[] }
  | {
      readonly type: "failed";
      readonly revision: number;
      readonly message: string;
      readonly problems?: readonly Problem[] | undefined;
    }
  | { readonly type: "report"; readonly seq: number; readonly report: WorkerReport }
  | {
      readonly type: "lease";
      readonly seq: number;
      readonly id: string;
      readonly policy: RatePolicy;
      readonly key: string;
      readonly cost: number;
    }
  | {
      readonly type: "give-back";
      readonly id: string;
      readonly key: string;
      readonly cost: number;
    };

export interface WorkerReport {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
  readonly families: readonly FamilyText[];
}

export type ToWorker =
  /** A piece of the configuration that the next `config` completes. */
  | { readonly type: "part"; readonly data: string }
  | {
      readonly type: "config";
      readonly revision: number;
      /** How many workers share what the configuration allows. */
      readonly of: number;
      /** Where the others are bound. */
      readonly addresses: readonly Bound[];
    }
  | { readonly type: "report"; readonly seq: number }
  | {
      readonly type: "granted";
      readonly seq: number;
      /** Requests that the worker may let through, the asked one included. */
      readonly granted: number;
      readonly verdict: RateVerdict;
    }
  | { readonly type: "drain"; readonly atOnce: boolean };

/** One end of the socket. */
export interface Channel<Out> {
  send(message: Out): void;
  /** Ends once what was sent has gone out. */
  end(): void;
  close(): void;
  readonly closed: boolean;
}

/** Reads lines; a peer that sends anything else, or a line without end, is cut off. */
export function openChannel<Out>(
  socket: Socket,
  on: { readonly message: (message: unknown) => void; readonly close: () => void },
): Channel<Out> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let closed = false;
  const take = (line: Buffer): void => {
    let message: unknown;
    try {
      message = JSON.parse(line.toString("utf8"));
    } catch {
      socket.destroy();
      return;
    }
    on.message(message);
  };
  socket.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      waiting.push(chunk.subarray(from, end));
      from = end + 1;
      const line = Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
      take(line);
    }
    if (from < chunk.length) {
      waiting.push(chunk.subarray(from));
      waitingBytes += chunk.length - from;
      if (waitingBytes > LIMITS.line) socket.destroy();
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    if (closed) return;
    closed = true;
    on.close();
  });
  return {
    send(message) {
      if (!closed) socket.write(`${JSON.stringify(message)}\n`);
    },
    end: () => void socket.end(),
    close: () => void socket.destroy(),
    get closed() {
      return closed;
    },
  };
}
