/** What a service answers, as bytes: valid more often than not, then bent where parsers differ. */
import * as fc from "fast-check";
import { bend, editsWith } from "./bent.ts";

/** A request's method and the bytes that come back, one character a byte. */
export interface AnswerCase {
  readonly method: "GET" | "HEAD" | "POST";
  readonly text: string;
}

const LINES = [
  "Server: a",
  "Connection: keep-alive",
  "Connection: close",
  "connection: Keep-Alive, X-A",
  "Set-Cookie: b",
  "set-cookie: c",
  "Transfer_Encoding: chunked",
  "X-A: b c\td",
  "X-B: \xe9\xff",
  "X-C:",
  "x-d:e \t",
  "Upgrade: h2c",
];
const ODD_LINES = [
  "Content-Length: 5",
  "Content-Length: 005",
  "content-length:\t5 ",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length: 0",
  "Content-Length: 5555555555555555",
  "Transfer-Encoding: chunked",
  "transfer-encoding: Chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding:\tchunked\t",
  "Connection: set-cookie",
  "X-\xc9: d",
  "X-D : e",
  " X-E: f",
  ": g",
  "X-F",
];
const CHUNKED = [
  "5\r\nhello\r\n0\r\n\r\n",
  '5;a=b;c="d\\"e"\r\nhello\r\n0\r\nX-T: u\r\nContent-Type: v\r\n\r\n',
  "0005\r\nhello\r\n000\r\n\r\n",
  "5;a\r\nhello\r\nA;b=c\r\n0123456789\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "0;last\r\nX-T: u\r\nX-T: v\r\n\r\n",
];
const ODD_CHUNKED = [
  "5 \r\nhello\r\n0\r\n\r\n",
  "5\r\nhello0\r\n\r\n",
  "5; a\r\nhello\r\n0\r\n\r\n",
  "0\r\n X: y\r\n\r\n",
  "0\r\nContent-Length: 3\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "00000000000005\r\nhello\r\n0\r\n\r\n",
  "5\nhello\r\n0\r\n\r\n",
  "6\r\nhello\r\n0\r\n\r\n",
];
const STATUSES = ["200 OK", "200 ", "404 Not \xc9 Found", "503 A b", "304 Not Modified", "204 No"];
const ODD_STATUSES = ["200", "101 Switching Protocols", "600 X", "20 OK", "099 X", "2000 OK"];
const INTERIM = [
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
  "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n",
];

const usually = <T>(usual: readonly T[], odd: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...usual), weight: 12 },
    { arbitrary: fc.constantFrom(...odd), weight: 1 },
  );

/** How a body goes onto the wire: with the field that announces it. */
const body = fc.oneof(
  fc.constantFrom("", "hello", "x".repeat(5000)).map((text) => ({
    framing: `Content-Length: ${text.length}\r\n`,
    text,
  })),
  usually(CHUNKED, ODD_CHUNKED).map((text) => ({
    framing: "Transfer-Encoding: chunked\r\n",
    text,
  })),
  fc.constantFrom("", "until the end").map((text) => ({ framing: "", text })),
);

/** One answer with the interim ones before it. */
const answer = fc
  .record({
    interim: fc.oneof(
      { arbitrary: fc.constant([]), weight: 4 },
      { arbitrary: fc.array(fc.constantFrom(...INTERIM), { maxLength: 3 }), weight: 1 },
    ),
    version: usually(["HTTP/1.1"], ["HTTP/1.0", "HTTP/1.2", "HTTP/2", "http/1.1", "ICY"]),
    status: usually(STATUSES, ODD_STATUSES),
    lines: fc.array(usually(LINES, ODD_LINES), { maxLength: 4 }),
    body,
  })
  .map(({ interim, version, status, lines, body: { framing, text } }) => {
    const bodiless = /^(?:204|304|1)/.test(status);
    const fields = lines.map((line) => `${line}\r\n`).join("");
    const head = `${version} ${status}\r\n${bodiless ? "" : framing}${fields}\r\n`;
    return interim.join("") + head + (bodiless ? "" : text);
  });

/** An answer, now and then with a second one or other bytes behind it, now and then bent. */
export const answerCase: fc.Arbitrary<AnswerCase> = fc
  .record({
    method: fc.constantFrom<AnswerCase["method"][]>("GET", "GET", "GET", "POST", "HEAD"),
    first: answer,
    behind: fc.oneof(
      { arbitrary: fc.constant(""), weight: 6 },
      { arbitrary: answer, weight: 1 },
      { arbitrary: fc.constantFrom("\r\n", "x", "HTTP/1.1 200 OK\r\n"), weight: 1 },
    ),
    edits: editsWith(ODD_LINES),
  })
  .map(({ method, first, behind, edits }) => {
    const bodiless = method === "HEAD" ? first.replace(/(\r\n\r\n)(?!HTTP)[^]*$/, "$1") : first;
    return { method, text: bend(bodiless + behind, edits) };
  });
