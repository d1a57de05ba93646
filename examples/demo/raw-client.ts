/**
 * Sends one request as it stands and reads the whole answer. HTTP libraries tidy up a path before
 * they send it (`..`, `%2f`), and the demo's tricks have to arrive untouched.
 */
import { connect } from "node:net";
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

/** Sends a case's request to `host:port`, with `token` as its bearer token. */
export function send(address: string, one: Case, token: string | undefined): Promise<Answer> {
  const head = [
    `${one.method ?? "GET"} ${one.target} HTTP/1.1`,
    `Host: ${address}`,
    "Connection: close",
    ...(one.method === "POST" ? ["Content-Length: 0"] : []),
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...Object.entries(one.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) }, () => {
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

/** Enough of RFC 9112 for answers that end with their connection and were made by our own proxy. */
function parseAnswer(text: string): Answer {
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
