/**
 * The HTTP/1.1 requests and responses of other projects, each with the verdict of RFC 9112 on it.
 *
 * A case is taken as its own project judges it (valid or invalid) unless `DEVIATIONS` lists it with
 * the reason. Many cases were written without Host or without the end of the head, because their
 * parsers do not look at either; such a case is judged twice: as it is, and mended so that the rule
 * which it was written for is reached.
 */
import { readFileSync } from "node:fs";
import { corpora } from "../corpora.ts";

/**
 * `accept`: at least one request, and nothing that breaks a rule. `refuse`: a fault, after which the
 * connection is closed. `incomplete`: more bytes are needed, so that nothing whole was received.
 */
export type Outcome = "accept" | "refuse" | "incomplete";

export interface CorpusMessage {
  /** `gunicorn:valid/001` or `llhttp:uri.md#Space in URI`. */
  readonly id: string;
  /** What the case's own project says of it. */
  readonly theirs: "valid" | "invalid";
  /** As in the corpus. */
  readonly given: Buffer;
  /** With a Host where HTTP/1.1 needs one, and with the empty line that the corpus lost. */
  readonly mended: Buffer;
}

/** All requests, or undefined where the corpora are absent. */
export function corpusRequests(): CorpusMessage[] | undefined {
  const gunicorn = corpora("http1/gunicorn-requests.json");
  const llhttp = corpora("http1/llhttp-cases.json");
  if (gunicorn === undefined || llhttp === undefined) return undefined;
  return [...gunicornRequests(gunicorn), ...llhttpCases(llhttp, "request")];
}

/** What the mended bytes have to come to. */
export function expectedOutcome(message: CorpusMessage): Outcome {
  const deviation = DEVIATIONS.get(message.id);
  return deviation?.outcome ?? (message.theirs === "valid" ? "accept" : "refuse");
}

export interface Deviation {
  readonly outcome: Outcome;
  readonly why: string;
}

const GROUPS: readonly [outcome: Outcome, why: string, ids: readonly string[]][] = [
  [
    "refuse",
    "'=' in Host: RFC 3986 allows sub-delims in a reg-name, DNS does not; we take names and addresses",
    [
      "gunicorn:valid/002",
      "gunicorn:valid/003",
      "llhttp:sample.md#curl GET",
      "llhttp:sample.md#Firefox GET",
    ],
  ],
  [
    "refuse",
    "both framing fields: RFC 9112 section 6.1 lets a server reject them",
    ["gunicorn:valid/009"],
  ],
  [
    "refuse",
    "white space in chunk extensions: RFC 9112 section 7.1.1 calls it bad; llhttp refuses it too",
    ["gunicorn:valid/013"],
  ],
  [
    "refuse",
    "a transfer coding that we do not implement: 501, or 400 where it comes in two fields",
    [
      "gunicorn:valid/025",
      "gunicorn:valid/025_line",
      "gunicorn:valid/029",
      "gunicorn:valid/030",
      "gunicorn:valid/rfc9112_smuggle_gzip_chunked_01",
      "gunicorn:valid/rfc9112_smuggle_te_identity_chunked_01",
      "llhttp:transfer-encoding.md#POST with `chunked` as last transfer-encoding",
      "llhttp:transfer-encoding.md#POST with `chunked` as last transfer-encoding (multiple headers)",
    ],
  ],
  [
    "refuse",
    "user info in the target: RFC 9110 section 4.2.4 asks to treat it as an error",
    [
      "gunicorn:valid/rfc9112_target_absolute_userinfo_01",
      "llhttp:uri.md#`host:port` and basic auth",
    ],
  ],
  ["refuse", "a target beyond visible ASCII (RFC 3986 section 2)", ["gunicorn:valid/027"]],
  [
    "refuse",
    "valid only with an option of gunicorn that permits white space before the colon",
    ["gunicorn:valid/028"],
  ],
  [
    "refuse",
    "folded lines: RFC 9112 section 5.2 lets a server reject them; valid only with an option",
    ["gunicorn:valid/compat_obs_fold", "gunicorn:valid/compat_obs_fold_huge"],
  ],
  [
    "refuse",
    "the PROXY protocol is not HTTP; valid only with an option of gunicorn",
    [
      "gunicorn:valid/pp_01",
      "gunicorn:valid/pp_02",
      "gunicorn:valid/pp_04",
      "gunicorn:valid/pp_05",
    ],
  ],
  [
    "refuse",
    "CONNECT: we are not a tunnel (501)",
    [
      "gunicorn:valid/rfc9112_target_authority_connect_01",
      "gunicorn:valid/rfc9112_target_authority_ipv6_01",
    ],
  ],
  [
    "incomplete",
    "the body or its last chunk never comes: nothing whole was received",
    [
      "gunicorn:valid/099",
      "gunicorn:invalid/rfc9112_chunked_missing_final_crlf_01",
      "llhttp:content-length.md#Spaces in `Content-Length` (surrounding)",
      "llhttp:content-length.md#Tabs in `Content-Length` (surrounding)",
      "llhttp:content-length.md#Content-Length reset when no body is received",
      "llhttp:finish.md#It should be unsafe to finish after incomplete PUT request",
      "llhttp:pipelining.md#Should parse multiple events",
      "llhttp:transfer-encoding.md#Parsing and setting flag",
      "llhttp:transfer-encoding.md#Missing last-chunk",
    ],
  ],
  [
    "accept",
    "beyond a limit of gunicorn's, within ours",
    [
      "gunicorn:invalid/006",
      "gunicorn:invalid/007",
      "gunicorn:invalid/008",
      "gunicorn:invalid/010",
      "gunicorn:invalid/017",
      "gunicorn:invalid/limit_header_default_01",
    ],
  ],
  [
    "refuse",
    "valid only in a lenient mode of llhttp, or cut off in the middle of the head",
    [
      "llhttp:content-length.md#Missing CRLF-CRLF before body (lenient)",
      "llhttp:content-length.md#No error on simultaneous `Content-Length` and `Transfer-Encoding: identity` (lenient)",
      "llhttp:finish.md#It should be unsafe to finish inside of the header",
      "llhttp:invalid.md#Only LFs present (lenient)",
      "llhttp:invalid.md#Spaces before headers (lenient)",
      "llhttp:lenient-header-value-relaxed.md#Control char in header value (relaxed)",
      "llhttp:lenient-headers.md#Empty headers separated by CR (lenient)",
      "llhttp:lenient-headers.md#Header value (lenient)",
      "llhttp:lenient-headers.md#Second request header value (lenient)",
      "llhttp:lenient-version.md#Invalid HTTP version (lenient)",
      "llhttp:sample.md#Line folding in header value with CRLF",
      "llhttp:sample.md#No LF after CR (lenient)",
      "llhttp:sample.md#X-SSL-Nonsense",
      "llhttp:transfer-encoding.md#Chunk data not terminated by CRLF (lenient)",
      "llhttp:transfer-encoding.md#Chunk header not terminated by CRLF (lenient)",
      "llhttp:transfer-encoding.md#POST with `Transfer-Encoding` and `Content-Length` (lenient)",
      "llhttp:transfer-encoding.md#POST with `chunked` and duplicate transfer-encoding (lenient)",
      "llhttp:transfer-encoding.md#POST with `chunked` before other transfer-coding (lenient)",
      "llhttp:transfer-encoding.md#Space after chunk header (lenient)",
    ],
  ],
  [
    "refuse",
    "two empty lines before the second request line: RFC 9112 section 2.2 asks to ignore one",
    ["llhttp:connection.md#CRLF between requests, implicit `keep-alive`"],
  ],
  [
    "refuse",
    "'*' is a target of OPTIONS alone (RFC 9112 section 3.2.4)",
    ["llhttp:method.md#M-SEARCH request"],
  ],
  [
    "refuse",
    "a protocol other than HTTP, or HTTP/0.9",
    [
      "llhttp:method.md#ANNOUNCE request with RTSP",
      "llhttp:method.md#OPTIONS request with RTSP",
      "llhttp:method.md#SOURCE request with ICE",
      "llhttp:sample.md#No HTTP version",
    ],
  ],
  [
    "accept",
    "what follows a request that closes the connection is not read (RFC 9112 section 9.6)",
    [
      "llhttp:connection.md#CRLF between requests, explicit `close`",
      "llhttp:connection.md#CRLF between requests, explicit `close` followed by tab",
      "llhttp:connection.md#No restart when keep-alive is off (1.0)",
    ],
  ],
  [
    "accept",
    "llhttp pauses at an upgrade; a server may ignore it (RFC 9110 section 7.8)",
    ["llhttp:connection.md#Setting a flag and pausing"],
  ],
  [
    "incomplete",
    "llhttp pauses at an upgrade; we ignore it, and the bytes after it begin a request",
    [
      "llhttp:connection.md#Emitting part of body and pausing",
      "llhttp:connection.md#Multiple tokens with folding and LWS",
      "llhttp:connection.md#Upgrade GET request",
      "llhttp:connection.md#Upgrade POST request",
    ],
  ],
  [
    "accept",
    "a method is any token (RFC 9110 section 9.1); the gate answers 405 to those that no route lists",
    [
      "gunicorn:invalid/003c",
      "llhttp:invalid.md#HTTP protocol and ANNOUNCE method",
      "llhttp:invalid.md#Invalid method",
    ],
  ],
  [
    "accept",
    "X-Forwarded-* of callers says nothing to us: it is stripped",
    ["gunicorn:invalid/019"],
  ],
  [
    "accept",
    "'_' is a token character; Transfer_Encoding and Content_Length frame nothing and are stripped",
    ["gunicorn:invalid/040", "gunicorn:invalid/chunked_07"],
  ],
  [
    "accept",
    "two Content-Types: RFC 9110 section 5.3 leaves it to the recipient; both go on in order",
    ["gunicorn:invalid/041"],
  ],
  [
    "accept",
    "one answer is read; bytes after it make the connection unusable, but are no part of it",
    [
      "llhttp:response/connection.md#HTTP/1.1 with keep-alive disabled and 204 status",
      "llhttp:response/connection.md#HTTP/1.1 with keep-alive disabled, content-length",
    ],
  ],
  [
    "incomplete",
    "the body is shorter than its length: the connection closes within it, a 502",
    [
      "llhttp:response/connection.md#HTTP 103 first, then 200",
      "llhttp:response/content-length.md#Content-Length reset when no body is received",
      "llhttp:response/content-length.md#Tabs in `Content-Length` (surrounding)",
      "llhttp:response/sample.md#Google 301",
    ],
  ],
  [
    "refuse",
    "an empty line before a status line: only a server may be lenient here (RFC 9112 section 2.2)",
    [
      "llhttp:response/connection.md#HTTP 100 first, then 400",
      "llhttp:response/sample.md#Response starting with CRLF",
    ],
  ],
  [
    "refuse",
    "valid only in a lenient mode of llhttp",
    [
      "llhttp:response/invalid.md#Bare CR after response line (lenient)",
      "llhttp:response/invalid.md#Only LFs present (lenient)",
      "llhttp:response/invalid.md#Only LFs present and no body (lenient)",
      "llhttp:response/lenient-version.md#Invalid HTTP version (lenient)",
      "llhttp:response/sample.md#No carriage ret (lenient)",
    ],
  ],
  [
    "refuse",
    "a protocol other than HTTP, or HTTP/0.9, in a status line",
    [
      "llhttp:response/sample.md#HTTP version 0.9",
      "llhttp:response/sample.md#ICE response",
      "llhttp:response/sample.md#RTSP response",
    ],
  ],
  [
    "refuse",
    "an answer whose last coding is not a single chunked: RFC 9112 section 6.3 reads it to the close, others do not",
    [
      "llhttp:response/transfer-encoding.md#`chunked` before other transfer-encoding",
      "llhttp:response/transfer-encoding.md#`chunkedchunked` transfer-encoding does not enable chunked enconding",
      "llhttp:response/transfer-encoding.md#multiple transfer-encoding where chunked is not the last one",
    ],
  ],
  [
    "refuse",
    "a folded line in an answer: RFC 9112 section 5.2 lets a proxy answer 502",
    ["llhttp:response/transfer-encoding.md#Invalid OBS fold after chunked value"],
  ],
];

/** Where our verdict differs from the corpus' own. */
export const DEVIATIONS: ReadonlyMap<string, Deviation> = new Map(
  GROUPS.flatMap(([outcome, why, ids]) => ids.map((id) => [id, { outcome, why }] as const)),
);

/** All of llhttp's responses, mended likewise, or undefined where the corpus is absent. */
export function corpusResponses(): CorpusMessage[] | undefined {
  const llhttp = corpora("http1/llhttp-cases.json");
  return llhttp === undefined ? undefined : llhttpCases(llhttp, "response");
}

interface GunicornFile {
  readonly cases: readonly {
    readonly name: string;
    readonly kind: "valid" | "invalid";
    readonly bytes_latin1: string;
  }[];
}

function gunicornRequests(path: string): CorpusMessage[] {
  const file = JSON.parse(readFileSync(path, "utf8")) as GunicornFile;
  return file.cases.map((entry) =>
    corpusMessage(`gunicorn:${entry.kind}/${entry.name}`, entry.kind, entry.bytes_latin1),
  );
}

interface LlhttpFile {
  readonly cases: readonly {
    readonly file: string;
    readonly title: string;
    readonly type: string;
    readonly input: string;
    readonly error: unknown;
    readonly log: readonly string[];
  }[];
}

function llhttpCases(path: string, kind: "request" | "response"): CorpusMessage[] {
  const file = JSON.parse(readFileSync(path, "utf8")) as LlhttpFile;
  const seen = new Map<string, number>();
  return file.cases
    .filter((entry) => entry.type.startsWith(kind))
    .map((entry) => {
      const title = `llhttp:${entry.file.replace("test/request/", "").replace("test/", "")}#${entry.title}`;
      const count = (seen.get(title) ?? 0) + 1;
      seen.set(title, count);
      const id = count === 1 ? title : `${title} (${count})`;
      const given = Buffer.from(entry.input, "utf8").toString("latin1");
      const cut = lastOffset(entry.log) > given.length ? "\r\n" : "";
      return corpusMessage(id, entry.error === null ? "valid" : "invalid", given, cut);
    });
}

/** The log of the original input tells where the corpus cut its last empty line off. */
function lastOffset(log: readonly string[]): number {
  return Math.max(0, ...log.map((line) => Number(/off=(\d+)/.exec(line)?.[1] ?? 0)));
}

function corpusMessage(
  id: string,
  theirs: "valid" | "invalid",
  given: string,
  cut = "",
): CorpusMessage {
  const text = given + cut;
  // Where the corpus cut two empty lines off, the last chunk lacks one still.
  const whole = cut !== "" && text.endsWith("\r\n0\r\n") ? `${text}\r\n` : text;
  const mended = withHosts(withBlankLine(whole));
  return { id, theirs, given: Buffer.from(given, "latin1"), mended: Buffer.from(mended, "latin1") };
}

function withBlankLine(text: string): string {
  if (text.includes("\r\n\r\n")) return text;
  return text.endsWith("\r\n") ? `${text}\r\n` : `${text}\r\n\r\n`;
}

/** A Host in each head of HTTP/1.1 that has none. */
function withHosts(text: string): string {
  return text.replace(
    /([A-Za-z-]+ [^\r\n]* HTTP\/1\.1\r\n)((?:[^\r\n]+\r\n)*)/g,
    (head: string, line: string, fields: string) =>
      /^host[ \t]*:/im.test(fields) ? head : `${line}Host: a.example\r\n${fields}`,
  );
}
