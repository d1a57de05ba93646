/**
 * Sends one request as it stands and reads the whole answer. HTTP libraries tidy up a path before
 * they send it (`..`, `%2f`), and the demo's tricks have to arrive untouched.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Case } from "./cases.ts";

const LIMITS = {
  /** Milliseconds for one answer; what takes longer has gone wrong. */
  answer: 10_000,
} as const;

export interface Answer {
  readonly status: number;
  /** Value of a field by lower-case name. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Where the proxy is reached, and what is shown of oneself there. */
export interface Door {
  /** `host:port`. */
  readonly address: string;
  /** PEM; undefined for plain HTTP. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** Sends a case's request through a door, with these fields beside its own. */
export function send(door: Door, one: Case, fields: readonly string[]): Promise<Answer> {
  const head = [
    `${one.method ?? "GET"} ${one.target} HTTP/1.1`,
    `Host: ${door.address}`,
    "Connection: close",
    ...(one.method === "POST" ? ["Content-Length: 0"] : []),
    ...fields,
    ...Object.entries(one.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  return new Promise((resolve, reject) => {
    const socket = open(door, () => {
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
    });
    let text = "";
    socket.setEncoding("latin1");
    socket.setTimeout(LIMITS.answer, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (chunk: string) => (text += chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(parseAnswer(text)));
  });
}

function open({ address, tls }: Door, ready: () => void): Socket {
  const [host = "", port = ""] = address.split(":");
  const to = { host, port: Number(port) };
  return tls === undefined ? connect(to, ready) : connectTls({ ...to, ...tls }, ready);
}

/** Enough of RFC 9112 for answers that end with their connection and were made by our own proxy. */
export function parseAnswer(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const fields = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(statusLine.split(" ")[1] ?? 0), fields, body: text.slice(end + 4) };
}
