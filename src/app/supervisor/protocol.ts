/**
 * What a supervisor and its workers say to each other over the control socket: one JSON object a
 * line. The hello is the part that other versions must understand; all else is between equals.
 */
import type { Socket } from "node:net";
import type { Problem } from "../../model/errors.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { FeedChange, FeedPosition } from "../../model/feed.ts";
import { isQuotaStep, type QuotaStep } from "../../model/quota-steps.ts";
import type { RateVerdict } from "../../model/ports.ts";
import type { RatePolicy } from "../../model/rate.ts";
import type { HandedKey } from "../assertion-signing.ts";
import type { FamilyText } from "../../telemetry/exposition.ts";
import {
  isClientUse,
  isIssuingRequest,
  type IssuingAnswer,
  type IssuingRequest,
} from "./issuing.ts";
import { isMemoryRequest, type MemoryAnswer, type MemoryRequest } from "./memory.ts";

const LIMITS = {
  /** Bytes of one line: a part of a configuration, or the metrics of 10 000 routes. */
  line: 64 * 1024 * 1024,
  /** Bytes of the first one, a hello: nobody knows yet who sends it. */
  firstLine: 1024 * 1024,
} as const;

/** Workers of another version or runtime are not taken over but replaced. */
export const PROTOCOL = `4 ${process.versions["bun"] === undefined ? "node" : "bun"}`;

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
    }
  /** What it let through that counts against quotas. */
  | { readonly type: "quotas"; readonly steps: readonly QuotaStep[] }
  /** Which API keys were used there lately. */
  | { readonly type: "used"; readonly uses: readonly ApiKeyUse[] }
  | ({ readonly type: "remember"; readonly seq: number } & MemoryRequest)
  /** About provisioning keys. */
  | ({ readonly type: "issue"; readonly seq: number } & IssuingRequest)
  /** A registered client got a key. */
  | { readonly type: "client-used"; readonly id: string; readonly atMs: number };

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
  /** There is an authority; what it says follows. Comes before the first `config`. */
  | {
      readonly type: "authority";
      readonly maxStalenessMs: number;
      /** Whose keys are issued by way of this supervisor; left out: none are. */
      readonly issuer?: string | undefined;
    }
  | {
      readonly type: "feed";
      readonly change: FeedChange;
      readonly at: FeedPosition;
      /** Forget everything first. */
      readonly reset: boolean;
    }
  /** What it is to sign assertions with from now on. Comes before the first `config`. */
  | { readonly type: "signing"; readonly issuer: string; readonly keys: readonly HandedKey[] }
  | { readonly type: "current"; readonly at: FeedPosition; readonly asOfMs: number }
  | { readonly type: "report"; readonly seq: number }
  | {
      readonly type: "granted";
      readonly seq: number;
      /** Requests that the worker may let through, the asked one included. */
      readonly granted: number;
      readonly verdict: RateVerdict;
    }
  | ({ readonly type: "remembered"; readonly seq: number } & MemoryAnswer)
  | ({ readonly type: "issued"; readonly seq: number } & IssuingAnswer)
  /** What others let through that counts against quotas; with `reset`, all that was let through. */
  | { readonly type: "quotas"; readonly steps: readonly QuotaStep[]; readonly reset: boolean }
  | { readonly type: "drain"; readonly atOnce: boolean };

export interface Message {
  readonly type: string;
}

function isMessage(value: unknown): value is Message {
  return isObject(value) && typeof value["type"] === "string";
}

/**
 * Whether what came is a message of a worker. Looked at closely where it names what is then done to
 * others: a process that is watched and ended, places and policies that are counted by.
 */
export function isFromWorker(message: Message): message is FromWorker {
  const of = message as Message & Readonly<Record<string, unknown>>;
  switch (message.type) {
    case "hello":
      // 0 and what is below stand for whole groups of processes, 1 for the first of all.
      return (
        typeof of["protocol"] === "string" &&
        isWhole(of["number"], 1) &&
        isWhole(of["pid"], 2) &&
        areBound(of["listeners"])
      );
    case "serving":
      return isWhole(of["revision"], 1) && areBound(of["listeners"]);
    case "failed":
      return isWhole(of["revision"], 1) && typeof of["message"] === "string";
    case "report":
      return isWhole(of["seq"], 0) && isReport(of["report"]);
    case "lease":
      return isWhole(of["seq"], 1) && isCounted(of) && isPolicy(of["policy"]);
    case "give-back":
      return isCounted(of);
    case "quotas":
      return Array.isArray(of["steps"]) && of["steps"].every(isQuotaStep);
    case "used":
      return Array.isArray(of["uses"]) && of["uses"].every(isUse);
    case "remember":
      return isWhole(of["seq"], 1) && isMemoryRequest(of);
    case "issue":
      return isWhole(of["seq"], 1) && isIssuingRequest(of);
    case "client-used":
      return isClientUse(of);
    default:
      return false;
  }
}

function isUse(value: unknown): boolean {
  return isObject(value) && typeof value["id"] === "string" && isWhole(value["atMs"], 0);
}

function isCounted(of: Readonly<Record<string, unknown>>): boolean {
  return typeof of["id"] === "string" && typeof of["key"] === "string" && isWhole(of["cost"], 1);
}

function isPolicy(value: unknown): boolean {
  return isObject(value) && ["requests", "perMs", "burst"].every((name) => isWhole(value[name], 1));
}

function isReport(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value["ready"] === "boolean" &&
    isObject(value["checks"]) &&
    Array.isArray(value["families"])
  );
}

function areBound(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (one) =>
        isObject(one) &&
        typeof one["name"] === "string" &&
        typeof one["address"] === "string" &&
        (one["scheme"] === "http" || one["scheme"] === "https"),
    )
  );
}

function isWhole(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** One end of the socket. */
export interface Channel<Out> {
  send(message: Out): void;
  /** Ends once what was sent has gone out. */
  end(): void;
  close(): void;
  readonly closed: boolean;
}

/**
 * Reads lines; a peer that sends anything else, a line without end, or a message that its receiver
 * throws at, is cut off. It is one connection's affair: it must not end the process that all workers
 * need.
 */
export function openChannel<Out>(
  socket: Socket,
  on: { readonly message: (message: Message) => void; readonly close: () => void },
): Channel<Out> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let heard = false;
  let closed = false;
  const take = (line: Buffer): void => {
    heard = true;
    try {
      const message: unknown = JSON.parse(line.toString("utf8"));
      if (isMessage(message)) on.message(message);
      else socket.destroy();
    } catch {
      socket.destroy();
    }
  };
  socket.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      if (socket.destroyed) return;
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
      if (waitingBytes > (heard ? LIMITS.line : LIMITS.firstLine)) socket.destroy();
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
