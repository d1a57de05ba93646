/**
 * Hostile HTTP/2 against the stage of test/e2e: a raw caller, the proxy as `sallyport run` starts it,
 * the recording service, and the same judge as for HTTP/1.1 (test/e2e/judge.ts). To the judge each
 * stream is a request with its answer: what came back is written down for it as HTTP/1.1, so that an
 * answer that would read otherwise there is condemned too.
 */
import { strict as assert } from "node:assert";
import type { AuditRecord, Evidence } from "../e2e/judge.ts";
import { goodRequest, settle, type Stage } from "../e2e/stage.ts";
import { encodeLiterals, type Field } from "./hpack.ts";
import { FLAGS } from "./codes.ts";
import { headersFrame } from "./frames.ts";
import { answerFields, Http2Peer, requestFields, type SeenStream, statusOf } from "./peer.ts";

const LIMITS = {
  /** Milliseconds for what a caller has sent in part until the proxy ends it. */
  answer: 5000,
} as const;

export interface Http2Evidence extends Evidence {
  /** What came on each stream of the attack, by its identifier. */
  readonly streams: ReadonlyMap<number, SeenStream>;
  /** Code of the GOAWAY, where the connection was ended. */
  readonly code: number | undefined;
}

export interface Http2AttackOptions {
  readonly spoofed?: readonly string[];
  /** Callers come over TLS. */
  readonly tls?: boolean;
}

/** A request on stream 1 with exactly these fields, and with this body where one is given. */
export function attackFields(
  stage: Stage,
  fields: readonly Field[],
  options: Http2AttackOptions & {
    readonly body?: string;
    readonly trailers?: readonly Field[];
  } = {},
): Promise<Http2Evidence> {
  const { body, trailers } = options;
  const more = body !== undefined || trailers !== undefined;
  return attackHttp2(
    stage,
    [1],
    (caller) => {
      const flags = FLAGS.endHeaders | (more ? 0 : FLAGS.endStream);
      caller.send(headersFrame(1, encodeLiterals(fields), flags));
      if (body !== undefined) caller.data(1, body, trailers === undefined);
      if (trailers !== undefined) caller.headers(1, trailers);
    },
    options,
  );
}

/** Plays on a connection of its own until each of the `ids` is over, then asks for something good. */
export async function attackHttp2(
  stage: Stage,
  ids: readonly number[],
  play: (caller: Http2Peer) => void | Promise<void>,
  options: Http2AttackOptions = {},
): Promise<Http2Evidence> {
  const { service } = stage;
  const records = (): readonly AuditRecord[] => stage.records();
  service.forget();
  const before = records().length;
  const caller = await Http2Peer.open(stage.proxy, { tls: options.tls ?? false });
  await play(caller);
  const over = (): boolean =>
    caller.ended ||
    caller.closed ||
    ids.every((id) => caller.stream(id).ended || caller.stream(id).reset !== undefined);
  await caller.until("the end of each stream", over, LIMITS.answer).catch((error: unknown) => {
    if (!caller.closed) throw error;
  });
  if (!caller.ended && !caller.closed) await sentinel(caller);
  const streams = new Map(caller.streams);
  const arrived = service.connections.map(({ text }) => text).filter((text) => text !== "");
  const code = caller.goaway?.code;
  const closed = caller.ended || caller.closed;
  caller.destroy();
  const answered = [...streams].filter(([, seen]) => statusOf(seen) !== undefined);
  const named = answered.flatMap(([, seen]) =>
    answerFields(seen)
      .filter(([name]) => name === "sallyport-decision")
      .map(([, value]) => value),
  );
  const good = await goodRequest({ ...stage, tls: options.tls ?? false });
  const since = await settle(records, before, { named, good });
  const reset = [...streams].some(([, seen]) => seen.reset !== undefined);
  return {
    methods: answered.map(() => "GET"),
    answer: answered.map(([, seen]) => writtenAsHttp1(seen)).join(""),
    // To the judge a stream that was reset is a connection that was closed.
    closed: closed || reset,
    arrived,
    decisions: since.filter(({ type }) => type === "decision"),
    completions: since.filter(({ type }) => type === "completion"),
    spoofed: options.spoofed ?? [],
    streams,
    code,
  };
}

const SENTINEL = 100_001;

/** Rule 5 on the same connection: a good request gets its own answer, whatever came before. */
async function sentinel(caller: Http2Peer): Promise<void> {
  const seen = await caller.get(SENTINEL, "/sentinel").catch((error: unknown) => {
    if (caller.ended || caller.closed) return undefined;
    throw error;
  });
  if (seen === undefined || seen.reset !== undefined) return;
  assert.equal(statusOf(seen), 200);
  assert.equal((JSON.parse(String(seen.body)) as { target?: unknown }).target, "/sentinel");
}

/** Statuses of the attack's own streams, in order; 0 for one that was reset. */
export function attackStatuses({ streams }: Http2Evidence): number[] {
  return [...streams].filter(([id]) => id !== SENTINEL).map(([, seen]) => statusOf(seen) ?? 0);
}

/** An honest request's fields, with some replaced or added. */
export function fieldsWith(...fields: readonly Field[]): Field[] {
  const pseudo = fields.filter(([name]) => name.startsWith(":"));
  const replaced = new Set(pseudo.map(([name]) => name));
  return [
    ...requestFields("GET", "/open").filter(([name]) => !replaced.has(name)),
    ...pseudo,
    ...fields.filter(([name]) => !name.startsWith(":")),
  ];
}

function writtenAsHttp1(seen: SeenStream): string {
  const fields = answerFields(seen)
    .filter(([name]) => !name.startsWith(":") && name !== "content-length")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const body = seen.body.toString("latin1");
  return `HTTP/1.1 ${statusOf(seen) ?? 0} x\r\n${fields.join("")}content-length: ${body.length}\r\n\r\n${body}`;
}
