/**
 * Reads HTTP/1.1 as RFC 9112 writes it and nothing beyond: the judge's own reader, by regular
 * expressions over text, and on purpose without a line of `src/wire/`, so that a mistake there is
 * not made here as well. Text is latin1: one character a byte.
 */

export interface StrictMessage {
  /** Request line or status line. */
  readonly startLine: string;
  /** Lower-case names with their values, as received in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Without framing. */
  readonly body: string;
}

export interface StrictRequest extends StrictMessage {
  readonly method: string;
  readonly target: string;
}

export interface StrictResponse extends StrictMessage {
  readonly status: number;
  /** Whether only the end of the connection ends its body. */
  readonly untilClose: boolean;
}

export interface Reading<T> {
  readonly messages: readonly T[];
  /** How it ended: after a whole message, within one, or at a byte that breaks a rule. */
  readonly end: "complete" | "incomplete" | "invalid";
  /** Which rule, when `invalid`. */
  readonly fault: string;
  /** Index after the last whole message. */
  readonly position: number;
}

/** A rule of the RFC that the text breaks. */
class Fault extends Error {}
/** The text ends within a message. */
class Incomplete extends Error {}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2}) [\t\x20-\x7e\x80-\xff]*$/;
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
const QUOTED = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`;
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]{1,13})(?:;${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*$`);

/** The requests that a server reads from one connection. */
export function readRequests(text: string): Reading<StrictRequest> {
  return readAll(text, readRequest);
}

/** The same, where an empty line may stand before a request: RFC 9112 section 2.2 lets callers err so. */
export function readCallersRequests(text: string): Reading<StrictRequest> {
  return readAll(text, (reader) => {
    if (reader.text.startsWith("\r\n", reader.position)) reader.position += 2;
    return readRequest(reader);
  });
}

/**
 * The responses that a client reads from one connection; `methods` are those of its requests, in
 * order (a HEAD gets no body). 1xx responses stand in the list too and use up no method.
 */
export function readResponses(
  text: string,
  methods: readonly string[],
  closed: boolean,
): Reading<StrictResponse> {
  let next = 0;
  return readAll(text, (reader) => {
    const response = readResponse(reader, methods[next] ?? "GET", closed);
    if (response.status >= 200) next += 1;
    return response;
  });
}

/** Values of all fields of that name. */
export function valuesOf(message: StrictMessage, name: string): string[] {
  return message.fields.filter(([field]) => field === name).map(([, value]) => value);
}

function readAll<T>(text: string, readOne: (reader: Reader) => T): Reading<T> {
  const reader = new Reader(text);
  const messages: T[] = [];
  let position = 0;
  try {
    while (position < text.length) {
      messages.push(readOne(reader));
      position = reader.position;
    }
    return { messages, end: "complete", fault: "", position };
  } catch (error) {
    if (error instanceof Incomplete) return { messages, end: "incomplete", fault: "", position };
    if (error instanceof Fault) return { messages, end: "invalid", fault: error.message, position };
    throw error;
  }
}

class Reader {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** A line that ends in CR LF and holds neither of them. */
  line(): string {
    const end = this.text.slice(this.position).search(/[\r\n\0]/);
    if (end === -1) throw new Incomplete();
    const at = this.position + end;
    if (this.text[at] !== "\r") throw new Fault(this.text[at] === "\n" ? "a bare LF" : "a NUL");
    if (at + 1 === this.text.length) throw new Incomplete();
    if (this.text[at + 1] !== "\n") throw new Fault("a bare CR");
    const line = this.text.slice(this.position, at);
    this.position = at + 2;
    return line;
  }

  take(length: number): string {
    if (this.position + length > this.text.length) throw new Incomplete();
    this.position += length;
    return this.text.slice(this.position - length, this.position);
  }

  rest(): string {
    return this.take(this.text.length - this.position);
  }
}

function readRequest(reader: Reader): StrictRequest {
  const startLine = reader.line();
  const parts = REQUEST_LINE.exec(startLine);
  if (parts === null) throw new Fault("a request line that is not METHOD TARGET HTTP/1.x");
  const [, method = "", target = "", minor = ""] = parts;
  const fields = readFields(reader);
  const hosts = fields.filter(([name]) => name === "host").length;
  if (hosts > 1 || (hosts === 0 && minor === "1")) throw new Fault(`${hosts} Host fields`);
  const framing = framingOf(fields, minor);
  return { method, target, startLine, fields, body: readBody(reader, framing ?? 0) };
}

function readResponse(reader: Reader, method: string, closed: boolean): StrictResponse {
  const startLine = reader.line();
  const parts = STATUS_LINE.exec(startLine);
  if (parts === null) throw new Fault("a status line that is not HTTP/1.x STATUS REASON");
  const status = Number(parts[2]);
  const fields = readFields(reader);
  const framing = framingOf(fields, parts[1] ?? "");
  const empty = method === "HEAD" || status < 200 || status === 204 || status === 304;
  if (empty) return { status, startLine, fields, body: "", untilClose: false };
  if (framing !== undefined) {
    return { status, startLine, fields, body: readBody(reader, framing), untilClose: false };
  }
  if (!closed) throw new Incomplete();
  return { status, startLine, fields, body: reader.rest(), untilClose: true };
}

function readFields(reader: Reader): [string, string][] {
  const fields: [string, string][] = [];
  for (let line = reader.line(); line !== ""; line = reader.line()) {
    if (/^[ \t]/.test(line)) throw new Fault("a folded line");
    const parts = FIELD_LINE.exec(line);
    if (parts === null) throw new Fault("a field line that is not NAME: VALUE");
    fields.push([(parts[1] ?? "").toLowerCase(), parts[2] ?? ""]);
  }
  return fields;
}

/** Bytes of the body, or `chunked`; undefined where no field says (RFC 9112 section 6.3). */
function framingOf(
  fields: readonly (readonly [string, string])[],
  minor: string,
): number | "chunked" | undefined {
  const lengths = fields.filter(([name]) => name === "content-length");
  const codings = fields.filter(([name]) => name === "transfer-encoding");
  if (lengths.length > 0 && codings.length > 0) throw new Fault("both framing fields");
  if (lengths.length > 1) throw new Fault("two Content-Length fields");
  if (codings.length > 0) {
    if (minor === "0") throw new Fault("Transfer-Encoding in HTTP/1.0");
    if (codings.length > 1 || codings[0]?.[1].toLowerCase() !== "chunked") {
      throw new Fault("a Transfer-Encoding that is not one chunked");
    }
    return "chunked";
  }
  const length = lengths[0]?.[1];
  if (length === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(length)) throw new Fault("a Content-Length that is not a number");
  return Number(length);
}

function readBody(reader: Reader, framing: number | "chunked"): string {
  if (framing !== "chunked") return reader.take(framing);
  let body = "";
  for (;;) {
    const parts = CHUNK_LINE.exec(reader.line());
    if (parts === null) throw new Fault("a chunk line that is not SIZE[;NAME[=VALUE]]");
    const size = Number.parseInt(parts[1] ?? "", 16);
    if (size === 0) break;
    body += reader.take(size);
    if (reader.take(2) !== "\r\n") throw new Fault("chunk data that is not followed by CR LF");
  }
  readFields(reader);
  return body;
}
