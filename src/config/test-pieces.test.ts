import assert from "node:assert/strict";
import { test } from "node:test";
import { joinPieces, PIECE_LIMITS, testPieces, withoutPieces } from "./test-pieces.ts";
import type { TestThreadTask } from "./test-pieces.ts";

const numbered = (count: number): { readonly id: string }[] =>
  Array.from({ length: count }, (_, index) => ({ id: String(index) }));

const TASK = {
  tests: {
    files: [
      { name: "a.yaml", text: "€".repeat(3 * PIECE_LIMITS.chars + 1) },
      { name: "b.yaml", text: "" },
      { name: "c.yaml", text: "c" },
    ],
    ignoreFailing: false,
  },
  verified: { policies: numbered(1050), entities: numbered(2600), hash: "sha256-x", warnings: [] },
  vocabulary: { authenticators: [], services: [], routes: [] },
} as unknown as TestThreadTask;

test("testPieces() puts no more into one than a slice takes, and nothing of it goes first", () => {
  const pieces = [...testPieces(TASK)];
  for (const piece of pieces) {
    if (piece.kind === "policies") assert.ok(piece.policies.length <= PIECE_LIMITS.policies);
    else if (piece.kind === "entities") assert.ok(piece.entities.length <= PIECE_LIMITS.entities);
    else assert.ok(piece.text.length <= PIECE_LIMITS.chars);
  }
  assert.equal(pieces.length, 11 + 11 + 5);
  assert.ok(JSON.stringify(withoutPieces(TASK)).length < 1000);
});

test("joinPieces() gives what testPieces() was given", () => {
  assert.deepEqual(joinPieces(withoutPieces(TASK), testPieces(TASK)), TASK);
});
