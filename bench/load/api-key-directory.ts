/**
 * A program that fills a directory of API keys as the feed does, asks it as authenticators do, and
 * prints what that cost as one line of JSON: `api-key-directory.ts KEYS`. A process of its own, so that
 * its memory is the directory's.
 */
import { createSecretKey, randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { apiKeyFault, macOfApiKey, makeApiKey } from "../../src/crypto/api-key-text.ts";
import { createApiKeyDirectory } from "../../src/keys/api-key-directory.ts";
import { type ApiKeyEntry, writeApiKeyProfile } from "../../src/model/api-keys.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

export interface ApiKeyFigures {
  readonly keys: number;
  /** Resident memory that the directory added, the garbage of filling it collected. */
  readonly residentBytes: number;
  /** Processor time of one entry, in microseconds. */
  readonly applyUs: number;
  /** Processor time of a key that is not known yet, by whether there is one: its HMAC and its row. */
  readonly findUs: { readonly there: number; readonly absent: number };
  /** Of the form and the checksum alone: what a mistyped key costs. */
  readonly formUs: number;
  /** Of asking again about a key that was found, after a change of some key. */
  readonly standsUs: number;
}

const LIMITS = {
  /** Entries in one turn. */
  step: 2000,
  /** Keys whose texts are known, and are asked about. */
  texts: 1000,
  /** Times that each is asked about. */
  asked: 100,
} as const;

const MAC = randomBytes(32).toString("base64url");
const KEY = createSecretKey(MAC, "base64url");
const keys = Number(process.argv[2]);
const directory = createApiKeyDirectory({ metrics: createMetrics() });
const texts = Array.from({ length: LIMITS.texts }, () => makeApiKey("sp_", randomBytes));
const before = resident();
const applyUs = await fill();
const residentBytes = resident() - before;
const absent = Array.from({ length: LIMITS.texts }, () => makeApiKey("sp_", randomBytes));
const found = texts.map((text) => directory.find(text));
const figures: ApiKeyFigures = {
  keys: directory.size,
  residentBytes,
  applyUs,
  findUs: {
    there: cost((at) => directory.find(texts[at] ?? "")),
    absent: cost((at) => directory.find(absent[at] ?? "")),
  },
  formUs: cost((at) => apiKeyFault(texts[at] ?? "", "sp_")),
  standsUs: cost((at) => {
    const known = found[at];
    return known !== undefined && directory.stands(known);
  }),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function fill(): Promise<number> {
  let spent = 0;
  for (let from = 0; from < keys; from += LIMITS.step) {
    const entries = Array.from({ length: Math.min(LIMITS.step, keys - from) }, (_, index) =>
      entryOf(from + index),
    );
    const start = process.cpuUsage();
    directory.apply({ entries, gone: [], mac: MAC }, { reset: false });
    spent += microseconds(start);
    // oxlint-disable-next-line no-await-in-loop -- as the frames of a feed come
    await setImmediate();
  }
  return spent / keys;
}

/** Each has an owner of its own; of what they may there are 500 kinds. */
function entryOf(index: number): ApiKeyEntry {
  const text = texts[index];
  const digest = text === undefined ? randomBytes(32) : macOfApiKey(text, KEY);
  return {
    digest: digest.toString("base64url"),
    subject: `partner-${index}`,
    profile: writeApiKeyProfile({
      authenticator: "partners",
      scopes: ["invoices:read"],
      roles: ["Reader"],
      groups: [],
      attributes: { tenant: `tenant-${index % 500}` },
      services: undefined,
    }),
    createdMs: Date.now(),
    expiresMs: Date.now() + 90 * 86_400_000,
    revoked: false,
  };
}

/** Processor time of one call, in microseconds: what others do on the machine is not in it. */
function cost(ask: (at: number) => unknown): number {
  for (let round = 0; round < 20; round++) for (let at = 0; at < LIMITS.texts; at++) ask(at);
  const start = process.cpuUsage();
  for (let round = 0; round < LIMITS.asked; round++) {
    for (let at = 0; at < LIMITS.texts; at++) ask(at);
  }
  return microseconds(start) / (LIMITS.asked * LIMITS.texts);
}

function microseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function resident(): number {
  const { Bun, gc } = globalThis as { Bun?: { gc(sync: boolean): void }; gc?: () => void };
  Bun?.gc(true);
  gc?.();
  return process.memoryUsage().rss;
}
