import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../model/errors.ts";
import type { LogFields } from "../model/ports.ts";
import { ManualClock } from "../platform/clock.ts";
import { renderFamilies } from "./exposition.ts";
import { createMetrics } from "./metrics.ts";
import { createLog, type RunningLog } from "./log.ts";
import type { LogLevel } from "./log-options.ts";

const NOW_MS = Date.UTC(2026, 10, 24, 4, 5, 6, 123);

test("createLog() writes one JSON object a line, with time, level and event", () => {
  const { log, lines } = keeping("info");
  log.info("it began", { port: 8080, tls: false, name: "edge", absent: undefined });
  log.debug("not this one");
  assert.deepEqual(lines(), [
    {
      level: "info",
      time: "2026-11-24T04:05:06.123Z",
      port: 8080,
      tls: false,
      name: "edge",
      event: "it began",
    },
  ]);
});

test("createLog() writes code, message and causes of an error, and the stack only for debug", () => {
  const cause = new Error("connect ECONNREFUSED", { cause: new TypeError("deeper") });
  const error = new SallyportError("fetch-failed", "no keys", { cause });
  const { log, lines } = keeping("info");
  log.error("keys", { error });
  const [line] = lines();
  assert.deepEqual(line?.["error"], {
    name: "SallyportError",
    code: "fetch-failed",
    message: "no keys",
    causes: ["connect ECONNREFUSED", "deeper"],
  });
  const debugging = keeping("debug");
  debugging.log.error("keys", { error });
  assert.match(debugging.text(), /"stack":"SallyportError: no keys\\n {4}at /);
});

test("createLog() leaves out an event that comes too often, and says how many were", async () => {
  const clock = new ManualClock(NOW_MS);
  const { log, lines } = keeping("info", clock);
  for (let index = 0; index < 100; index++) log.warn("again and again");
  log.warn("another");
  assert.equal(lines().filter(({ event }) => event === "again and again").length, 20);
  assert.equal(lines().filter(({ event }) => event === "another").length, 1);
  clock.advance(1000);
  log.warn("again and again");
  assert.equal(lines().at(-1)?.["leftOut"], 80);
  for (let index = 0; index < 5; index++) log.warn("again and again");
  await log.close();
  const last = lines().at(-1);
  assert.deepEqual([last?.["leftOut"], last?.["of"]], [5, "again and again"]);
});

test("createLog() leaves one event out and not another, and counts no line that is below its level", () => {
  const { log, lines } = keeping("info");
  for (let index = 0; index < 100; index++) log.debug("below the level costs no turn");
  for (let index = 0; index < 21; index++) log.error("again and again");
  log.adjust({ format: "text" });
  log.adjust({ format: "json" });
  for (let index = 0; index < 21; index++) log.info("below the level costs no turn");
  const counted = Map.groupBy(lines(), ({ event }) => event);
  assert.deepEqual(
    [...counted].map(([event, of]) => [event, of.length]),
    [
      ["again and again", 20],
      ["below the level costs no turn", 20],
    ],
  );
});

test("createLog() says what the reader did not take once a line of it is taken, and counts both", () => {
  const clock = new ManualClock(NOW_MS);
  const metrics = createMetrics();
  const family = metrics.counter("left_out", "Lines.", ["cause"]);
  const taken: string[] = [];
  const stream = {
    full: false,
    dropped: 0,
    write(line: string): void {
      if (this.full) this.dropped += 1;
      else taken.push(line);
    },
  };
  const log = createLog({ clock, stream });
  log.counting({ rate: family.with("rate"), reader: family.with("reader") });
  for (let index = 0; index < 25; index++) log.warn("again and again");
  stream.full = true;
  clock.advance(1000);
  // Its five that were left out are told in a line that nobody gets.
  log.warn("again and again");
  for (let index = 0; index < 9; index++) log.warn(`other ${index}`);
  stream.full = false;
  clock.advance(1000);
  log.warn("again and again");
  const last = JSON.parse(taken.at(-1) ?? "") as Record<string, unknown>;
  assert.deepEqual([last["leftOut"], last["dropped"]], [5, 10]);
  log.warn("another");
  assert.doesNotMatch(taken.at(-1) ?? "", /dropped|leftOut/);
  const text = renderFamilies(metrics.families(), true);
  assert.match(text, /left_out_total\{cause="rate"\} 5\n/);
  assert.match(text, /left_out_total\{cause="reader"\} 10\n/);
});

const canary = "canary7c1f9e";
const secrets: Record<string, string> = {
  jwt: `bad token eyJhbGciOiJSUzI1NiJ9.${canary}.${canary}`,
  bearer: `Authorization: Bearer ${canary}`,
  dpop: `dpop ${canary}`,
  basic: `Basic ${canary}==`,
  url: `GET https://user:${canary}@login.example.com/ failed`,
  query: `GET /cb?code=${canary}&x=1 and client_secret=${canary}`,
  json: `{"client_secret":"${canary}", "access_token": "${canary}"}`,
  key: `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`,
};
for (const [name, text] of Object.entries(secrets)) {
  test(`createLog() never writes a secret that a foreign text holds: ${name}`, () => {
    const { log, text: written } = keeping("debug");
    const inner = new Error(text);
    log.error("it failed", { text, error: new Error(text, { cause: inner }) });
    log.adjust({ format: "text" });
    log.error("it failed", { text, error: new Error(text, { cause: inner }) });
    assert.match(written(), /it failed/);
    assert.doesNotMatch(written(), new RegExp(canary));
  });
}

test("createLog() writes no object that came through a cast", () => {
  const { log, text } = keeping("info");
  log.info("headers", { headers: { authorization: canary } } as unknown as LogFields);
  assert.doesNotMatch(text(), new RegExp(canary));
});

test("adjust() puts level and form of a configuration in force, and the next one's after it", () => {
  const { log, text } = keeping();
  log.debug("too fine");
  log.adjust({ level: "debug", format: "text" });
  log.debug("fine");
  log.adjust({ level: "error", format: "json" });
  log.warn("too fine again");
  log.error("coarse");
  log.adjust({ format: "json" });
  log.info("as at first");
  const [first, ...others] = text().trimEnd().split("\n");
  assert.equal(first, "2026-11-24T04:05:06.123Z DEBUG  fine");
  const events = others.map((line) => (JSON.parse(line) as { event: string }).event);
  assert.deepEqual(events, ["coarse", "as at first"]);
});

test("adjust() changes no level that the environment says, and tells so once", () => {
  const { log, lines } = keeping("info");
  log.adjust({ level: "info", format: "json" });
  assert.deepEqual(lines(), []);
  log.adjust({ level: "debug", format: "json" });
  log.adjust({ level: "debug", format: "json" });
  log.debug("too fine");
  assert.deepEqual(
    lines().map(({ event, level, written }) => ({ event, level, written })),
    [
      {
        event: "log: SALLYPORT_LOG_LEVEL goes before log.level",
        level: "info",
        written: "debug",
      },
    ],
  );
});

test("createLog() writes text for people: one line, whatever a value holds", () => {
  const { log, text } = keeping();
  log.adjust({ format: "text" });
  const cause = new Error("connect ECONNREFUSED");
  log.warn("keys could not be fetched", {
    issuer: "corp",
    said: 'a "b"\n2026-11-24T04:05:06.123Z ERROR  forged \u009b31m',
    tries: 3,
    error: new SallyportError("fetch-failed", "no keys", { cause }),
  });
  assert.equal(
    text(),
    "2026-11-24T04:05:06.123Z WARN   keys could not be fetched  issuer=corp " +
      'said="a \\"b\\"\\n2026-11-24T04:05:06.123Z ERROR  forged \\u009b31m" tries=3 ' +
      'error="no keys" error.name=SallyportError error.code=fetch-failed ' +
      'error.causes="connect ECONNREFUSED"\n',
  );
});

test("createLog() lets no control character of a terminal through, in JSON neither", () => {
  const { log, text, lines } = keeping();
  log.warn("odd", { said: "\u001b[2J\u009b2J\u2028" });
  assert.match(text(), /^[\x20-\x7e]+\n$/);
  assert.equal(lines()[0]?.["said"], "\u001b[2J\u009b2J\u2028");
});

test("createLog() bounds the length of a value", () => {
  const { log, text } = keeping("info");
  log.info("long", { value: "x".repeat(1_000_000) });
  assert.ok(text().length < 3000);
});

function keeping(
  level?: LogLevel,
  clock = new ManualClock(NOW_MS),
): { log: RunningLog; text: () => string; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const stream = { dropped: 0, write: (line: string) => written.push(line) };
  const log = createLog({ level, clock, stream });
  const text = (): string => written.join("");
  return {
    log,
    text,
    lines: () =>
      text()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
