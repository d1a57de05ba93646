/** Ports for tests: they record what they are told and fetch what they are given. */
import { parseJson } from "../src/model/json.ts";
import type {
  AdjustableLog,
  DocumentFetcher,
  JsonClient,
  JsonMessage,
  LogFields,
  Metrics,
} from "../src/model/ports.ts";

export interface RecordedLog extends AdjustableLog {
  /** `level event {fields}`, with the messages of errors and their causes. */
  readonly lines: string[];
}

export function recordedLog(): RecordedLog {
  const lines: string[] = [];
  const record =
    (level: string) =>
    (event: string, fields: LogFields = {}): void => {
      const plain = Object.entries(fields).map(([name, value]) => [name, describe(value)]);
      lines.push(`${level} ${event} ${JSON.stringify(Object.fromEntries(plain))}`);
    };
  return {
    lines,
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
    counting: () => undefined,
    adjust: () => undefined,
  };
}

function describe(value: unknown): unknown {
  return value instanceof Error
    ? `${value.message} ${value.stack ?? ""} ${String(describe(value.cause))}`
    : value;
}

export interface RecordedMetrics extends Metrics {
  /** Value of a counter or gauge: `name label label`. */
  value(series: string): number;
}

export function recordedMetrics(): RecordedMetrics {
  const values = new Map<string, number>();
  const add = (series: string, by: number): void => {
    values.set(series, (values.get(series) ?? 0) + by);
  };
  const family = (name: string) => ({
    with: (...labels: string[]) => {
      const series = [name, ...labels].join(" ");
      return {
        inc: (by = 1) => add(series, by),
        add: (by: number) => add(series, by),
        set: (value: number) => void values.set(series, value),
        observe: (value: number) => add(series, value),
      };
    },
  });
  const samples = new Map<string, () => number>();
  return {
    counter: family,
    gauge: family,
    histogram: family,
    sampled: (name, _help, read) => void samples.set(name, read),
    sampledEach: (name, _help, { read }) => {
      samples.set(name, () => [...read()].reduce((sum, { value }) => sum + value, 0));
    },
    value: (series) => samples.get(series)?.() ?? values.get(series) ?? 0,
  };
}

export interface FakeFetcher extends DocumentFetcher {
  /** Every URL that was asked for, in order. */
  readonly asked: string[];
  /** What each URL answers: a document, or a function that is called anew each time. */
  readonly documents: Map<string, unknown>;
  maxAgeSeconds: number | undefined;
}

/** Documents are passed through JSON, as the real fetcher would. */
export function fakeFetcher(documents: Readonly<Record<string, unknown>>): FakeFetcher {
  const fetcher: FakeFetcher = {
    asked: [],
    documents: new Map(Object.entries(documents)),
    maxAgeSeconds: undefined,
    fetchJson: async (url) => {
      fetcher.asked.push(url);
      const entry = fetcher.documents.get(url);
      if (entry === undefined) throw new Error("no such document");
      const body: unknown = typeof entry === "function" ? await (entry as () => unknown)() : entry;
      return { body: JSON.parse(JSON.stringify(body)), maxAgeSeconds: fetcher.maxAgeSeconds };
    },
  };
  return fetcher;
}

export interface FakeJsonClient extends JsonClient {
  /** Every question, in order. */
  readonly posted: { readonly url: string; readonly message: JsonMessage }[];
  /** What the next questions are answered; a function is called with each, and may throw. */
  answer: unknown;
}

/** Answers are passed through our own reader of JSON, as the real client does. */
export function fakeJsonClient(answer: unknown): FakeJsonClient {
  const client: FakeJsonClient = {
    posted: [],
    answer,
    post: async (url, message) => {
      client.posted.push({ url, message });
      const { answer: now } = client;
      const body: unknown =
        typeof now === "function" ? await (now as (asked: JsonMessage) => unknown)(message) : now;
      return parseJson(JSON.stringify(body));
    },
  };
  return client;
}
