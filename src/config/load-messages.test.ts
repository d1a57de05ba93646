import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadedConfig } from "./load.ts";
import { LOAD_LIMITS, loadMessages } from "./load-messages.ts";
import { createGathering, type LoadMessage } from "./load-thread.ts";
import { NO_WORDS } from "./vocabulary.ts";

const file = (name: string, length: number) => ({ name, text: name.repeat(length) });

/** As much of one as is handed over in pieces. */
const LOADED = {
  file: "/etc/sallyport.yaml",
  config: {
    routes: Array.from({ length: 1050 }, (_, index) => ({
      name: `r${index}`,
      path: "/",
      attributes: {},
    })),
    authenticators: {},
    services: {},
  },
  policyFiles: [
    ...Array.from({ length: 400 }, (_, index) => file(String(index % 10), 100)),
    file("€", 3 * LOAD_LIMITS.chars + 1),
    file("", 0),
    file("b", LOAD_LIMITS.chars),
  ],
  shadowFiles: [file("c", LOAD_LIMITS.chars + 1)],
  tests: { files: [file("d", 2 * LOAD_LIMITS.chars)], routes: [] },
  hash: "sha256-a",
} as unknown as LoadedConfig;

function sizeOf(message: LoadMessage): number {
  return message.kind === "texts"
    ? message.texts.reduce((sum, { text }) => sum + text.length, 0)
    : 0;
}

test("loadMessages() puts no more routes and no more text into a message than a slice takes", () => {
  const messages = [...loadMessages(LOADED, NO_WORDS)];
  for (const message of messages) {
    assert.ok(sizeOf(message) <= LOAD_LIMITS.chars);
    if (message.kind === "routes") assert.ok(message.routes.length <= LOAD_LIMITS.routes);
  }
  const last = messages.at(-1);
  assert.ok(last?.kind === "done");
  assert.ok(JSON.stringify(last).length < 20_000, "texts and routes are not in the last one too");
  // Small files go together: a message for each would be a turn for each.
  const wanted = Math.ceil((7 * LOAD_LIMITS.chars + 40_000) / LOAD_LIMITS.chars);
  assert.ok(messages.filter(({ kind }) => kind === "texts").length <= wanted + 1);
});

test("createGathering() puts together what loadMessages() gives", () => {
  const gathering = createGathering();
  let whole: LoadedConfig | undefined;
  for (const message of loadMessages(LOADED, NO_WORDS)) whole = gathering(message);
  assert.deepEqual(whole?.policyFiles, LOADED.policyFiles);
  assert.deepEqual(whole?.shadowFiles, LOADED.shadowFiles);
  assert.deepEqual(whole?.tests, LOADED.tests);
  assert.deepEqual(whole?.config.routes, LOADED.config.routes);
  assert.equal(whole?.hash, "sha256-a");
  assert.ok(Object.isFrozen(whole?.policyFiles[0]));
});
