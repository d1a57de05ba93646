import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { PolicyTests } from "../config/policy-tests.ts";
import type { Vocabulary, VocabularyOperation } from "../model/vocabulary.ts";
import type { PolicySource } from "../policy/policy-source.ts";
import { DIGEST_LIMITS, sourceDigest, testsDigest } from "./source-digest.ts";

const OPERATION: VocabularyOperation = {
  id: "o",
  method: "GET",
  path: "/",
  groups: [],
  parameters: [],
};
const VOCABULARY: Vocabulary = {
  authenticators: [],
  services: [{ name: "s", attributes: { level: 1n }, operations: [OPERATION] }],
  routes: [{ name: "r", service: "s", attributes: {}, params: [] }],
};

const source = (text: string, vocabulary = VOCABULARY): PolicySource => ({
  files: [{ name: "a.cedar", text }],
  vocabulary,
});

/** How many times the digest lets others go on. */
async function turnsOf(digest: (pause: () => Promise<void>) => Promise<string>): Promise<number> {
  let turns = 0;
  await digest(async () => {
    turns += 1;
  });
  return turns;
}

test("sourceDigest() does no more between two turns than a slice takes", async () => {
  const chars = 20 * DIGEST_LIMITS.chars;
  assert.equal(await turnsOf((pause) => sourceDigest(source("x".repeat(chars)), pause)), 20);
  const small = Array.from({ length: 1024 }, (_, index) => ({
    name: `${index}.cedar`,
    text: "x".repeat(chars / 1024),
  }));
  const files = { files: small, vocabulary: VOCABULARY };
  assert.equal(await turnsOf((pause) => sourceDigest(files, pause)), 20);
  const operations = Array.from({ length: 10 * DIGEST_LIMITS.items }, () => OPERATION);
  const routes = Array.from({ length: 10 * DIGEST_LIMITS.items }, () => VOCABULARY.routes[0]);
  const many = {
    ...VOCABULARY,
    services: [{ name: "s", attributes: {}, operations }],
    routes: routes as Vocabulary["routes"],
  };
  assert.equal(await turnsOf((pause) => sourceDigest(source("", many), pause)), 18);
});

test("testsDigest() does no more between two turns than a slice takes", async () => {
  const tests = {
    files: [{ name: "a.yaml", text: "x".repeat(10 * DIGEST_LIMITS.chars) }],
    routes: Array.from({ length: 10 * DIGEST_LIMITS.items }, () => ({})),
  } as unknown as PolicyTests;
  assert.equal(await turnsOf((pause) => testsDigest(tests, pause)), 19);
});

test("sourceDigest() is another for whatever the engine is given", async () => {
  const [route] = VOCABULARY.routes;
  const [service] = VOCABULARY.services;
  assert.ok(route !== undefined && service !== undefined);
  const sources: PolicySource[] = [
    source("permit"),
    source("permit "),
    { ...source("permit"), files: [{ name: "b.cedar", text: "permit" }] },
    { ...source("permit"), files: [...source("permit").files, { name: "b", text: "" }] },
    source("permit", { ...VOCABULARY, admin: { attributes: {} } }),
    source("permit", { ...VOCABULARY, routes: [] }),
    source("permit", { ...VOCABULARY, routes: [{ ...route, params: ["id"] }] }),
    source("permit", { ...VOCABULARY, services: [{ ...service, operations: [] }] }),
    source("permit", { ...VOCABULARY, services: [{ ...service, operations: undefined }] }),
    source("permit", { ...VOCABULARY, services: [{ ...service, attributes: { level: 1 } }] }),
    source("permit", {
      ...VOCABULARY,
      services: [{ ...service, operations: [{ ...OPERATION, groups: ["g"] }] }],
    }),
  ];
  const digests = await Promise.all(sources.map((one) => sourceDigest(one)));
  assert.equal(new Set(digests).size, sources.length);
  assert.equal(await sourceDigest(source("permit")), digests[0]);
  assert.equal(digests[0]?.length, createHash("sha256").digest("base64url").length);
});
