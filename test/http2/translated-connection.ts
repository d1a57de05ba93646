/**
 * HTTP/1.1 at the test's end, HTTP/2 on the wire: what a suite writes as requests of HTTP/1.1 goes out
 * as streams, one after the other's answer, and what comes back is written down as HTTP/1.1. So a suite
 * that says what the proxy does with a request says it of both protocols.
 *
 * It translates, and mends nothing: a target, a field or a body goes over as it was written, as far as
 * HTTP/2 has a place for it (connection fields have none). A stream that is reset is to the suite what
 * a connection that was cut is.
 */
import { CODE } from "./codes.ts";
import type { Field } from "./hpack.ts";
import { Http2Peer, type SeenStream } from "./peer.ts";

const LIMITS = {
  /** Milliseconds for something that must happen; only a failing test waits so long. */
  wait: 10_000,
} as const;

interface Sent {
  readonly id: number;
  readonly method: string;
  /** Whether the connection is to close behind its answer. */
  readonly close: boolean;
}

/** How far the answer of a stream has been written down. */
interface Written {
  heads: number;
  body: number;
  chunked: boolean;
}

/** What of the text is being read: heads, or the body of a request. */
type Reading =
  | { readonly kind: "head" }
  | { readonly kind: "length"; readonly id: number; left: number }
  | { readonly kind: "chunks"; readonly id: number };

/** Fields that are HTTP/1.1's own; the translation says by other means what they say. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
]);

export class TranslatedConnection {
  readonly #peer: Http2Peer;
  readonly #scheme: string;
  readonly #sent: Sent[] = [];
  /** Of the first request that has no whole answer. */
  #written: Written = { heads: 0, body: 0, chunked: false };
  #answered = 0;
  #pending = "";
  #reading: Reading = { kind: "head" };
  #text = "";
  #cut = false;

  private constructor(peer: Http2Peer, scheme: string) {
    this.#peer = peer;
    this.#scheme = scheme;
    peer.socket.on("data", () => this.#answers());
    peer.socket.on("close", () => this.#answers());
  }

  static async open(
    address: string,
    { tls = false }: { readonly tls?: boolean } = {},
  ): Promise<TranslatedConnection> {
    const peer = await Http2Peer.open(address, { tls });
    return new TranslatedConnection(peer, tls ? "https" : "http");
  }

  /** All answers so far, as HTTP/1.1, one character a byte. */
  get text(): string {
    return this.#text;
  }

  get closed(): boolean {
    return this.#cut || this.#peer.ended || this.#peer.closed;
  }

  write(bytes: string): void {
    this.#pending += bytes;
    while (this.#step());
  }

  end(): void {
    if (!this.#peer.closed) this.#peer.socket.end();
  }

  destroy(): void {
    this.#peer.destroy();
  }

  /** Settles with true once `holds`; with false when it does not within the time. */
  async until(holds: () => boolean, waitMs: number = LIMITS.wait): Promise<boolean> {
    try {
      await this.#peer.until("what the test waits for", () => holds() || this.#peer.closed, waitMs);
    } catch {
      return holds();
    }
    return holds();
  }

  // Requests

  /** Takes one part of what was written; false when it needs more. */
  #step(): boolean {
    const reading = this.#reading;
    // One at a time, as HTTP/1.1 has it: what arrives at the service then has the order of the text.
    if (reading.kind === "head") return this.#answered === this.#sent.length && this.#head();
    return reading.kind === "length" ? this.#length(reading) : this.#chunk(reading);
  }

  #head(): boolean {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const [line = "", ...lines] = this.#pending.slice(0, end).split("\r\n");
    this.#pending = this.#pending.slice(end + 4);
    const method = line.slice(0, line.indexOf(" "));
    const target = line.slice(method.length + 1, line.lastIndexOf(" HTTP/"));
    const fields = lines.map(readField);
    const id = this.#sent.length * 2 + 1;
    const valueOf = (name: string): string | undefined =>
      fields.find(([field]) => field === name)?.[1];
    const close = valueOf("connection")?.toLowerCase() === "close";
    this.#sent.push({ id, method, close });
    const length = Number(valueOf("content-length") ?? 0);
    if (valueOf("transfer-encoding") !== undefined) this.#reading = { kind: "chunks", id };
    else if (length > 0) this.#reading = { kind: "length", id, left: length };
    const whole = this.#reading.kind === "head";
    this.#peer.headers(id, [...this.#pseudo(method, target, fields), ...passed(fields)], whole);
    return true;
  }

  #pseudo(method: string, target: string, fields: readonly Field[]): Field[] {
    const host = fields.find(([name]) => name === "host")?.[1];
    return [
      [":method", method],
      [":scheme", this.#scheme],
      [":path", target],
      ...(host === undefined ? [] : [[":authority", host] as const]),
    ];
  }

  #length(reading: { readonly id: number; left: number }): boolean {
    if (this.#pending === "") return false;
    const part = this.#pending.slice(0, reading.left);
    this.#pending = this.#pending.slice(part.length);
    reading.left -= part.length;
    this.#data(reading.id, part, reading.left === 0);
    if (reading.left === 0) this.#reading = { kind: "head" };
    return true;
  }

  #chunk({ id }: { readonly id: number }): boolean {
    const end = this.#pending.indexOf("\r\n");
    if (end === -1) return false;
    const size = Number.parseInt(this.#pending.slice(0, end), 16);
    if (size === 0) return this.#trailers(id, end + 2);
    const next = end + 2 + size + 2;
    if (this.#pending.length < next) return false;
    this.#data(id, this.#pending.slice(end + 2, next - 2), false);
    this.#pending = this.#pending.slice(next);
    return true;
  }

  #trailers(id: number, start: number): boolean {
    const empty = this.#pending.startsWith("\r\n", start);
    const end = empty ? start - 2 : this.#pending.indexOf("\r\n\r\n", start);
    if (end === -1 || this.#pending.length < end + 4) return false;
    const fields = empty ? [] : this.#pending.slice(start, end).split("\r\n").map(readField);
    this.#pending = this.#pending.slice(end + 4);
    this.#reading = { kind: "head" };
    if (fields.length === 0) this.#data(id, "", true);
    else this.#peer.headers(id, fields);
    return true;
  }

  /** In frames, without regard to windows: bodies of these suites fit into the first one. */
  #data(id: number, body: string, end: boolean): void {
    const bytes = Buffer.from(body, "latin1");
    const most = 16_384;
    for (let at = 0; at + most < bytes.length; at += most) {
      this.#peer.data(id, bytes.subarray(at, at + most));
    }
    const last = Math.floor(Math.max(bytes.length - 1, 0) / most) * most;
    this.#peer.data(id, bytes.subarray(last), end);
  }

  // Answers

  #answers(): void {
    for (;;) {
      const sent = this.#sent[this.#answered];
      if (sent === undefined || this.#cut) return;
      const seen = this.#peer.stream(sent.id);
      this.#writeDown(sent, seen);
      const failed = seen.reset !== undefined && !(seen.ended && seen.reset === CODE.noError);
      if (failed) this.#cut = true;
      if (!seen.ended || failed) return;
      this.#answered += 1;
      this.#written = { heads: 0, body: 0, chunked: false };
      if (sent.close) {
        this.#cut = true;
        this.#peer.destroy();
        return;
      }
      while (this.#step());
    }
  }

  #writeDown({ method }: Sent, seen: SeenStream): void {
    const written = this.#written;
    for (; written.heads < seen.heads.length; written.heads += 1) {
      const head = seen.heads[written.heads] ?? [];
      const status = head.find(([name]) => name === ":status")?.[1];
      if (status === undefined) continue;
      const empty = method === "HEAD" || /^(?:1..|204|304)$/.test(status);
      const bare = !empty && !head.some(([name]) => name === "content-length");
      written.chunked = bare;
      const lines = head.slice(1).map(([name, value]) => `${name}: ${value}\r\n`);
      const framing = bare ? "transfer-encoding: chunked\r\n" : "";
      this.#text += `HTTP/1.1 ${status} x\r\n${lines.join("")}${framing}\r\n`;
    }
    const body = seen.body.subarray(written.body).toString("latin1");
    written.body = seen.body.length;
    if (body !== "") {
      this.#text += written.chunked ? `${body.length.toString(16)}\r\n${body}\r\n` : body;
    }
    if (seen.ended && written.chunked) this.#text += `0\r\n${trailersOf(seen)}\r\n`;
  }
}

function readField(line: string): Field {
  const colon = line.indexOf(":");
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  return [line.slice(0, colon).toLowerCase(), value];
}

/** All but the connection's own fields and the first Host, which is `:authority`. */
function passed(fields: readonly Field[]): Field[] {
  const host = fields.findIndex(([name]) => name === "host");
  return fields.filter(([name], index) => index !== host && !CONNECTION_FIELDS.has(name));
}

/** Behind the final head: what has no status. */
function trailersOf({ heads }: SeenStream): string {
  return heads
    .filter((head) => head.every(([name]) => name !== ":status"))
    .flatMap((head) => head.map(([name, value]) => `${name}: ${value}\r\n`))
    .join("");
}
