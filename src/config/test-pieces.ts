/**
 * Policies, entities and tests on their way to the thread that tests them, in pieces that each cost the
 * sender about a millisecond: it may serve requests meanwhile.
 */
import type { LoadedPolicy } from "../policy/load/load-policies.ts";
import type { FileEntity } from "../policy/data/file-entity.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import type { VerifiedPolicies } from "../policy/compile-policies.ts";
import type { PolicyTests } from "./policy-tests.ts";

export interface TestThreadTask {
  readonly tests: PolicyTests;
  readonly verified: VerifiedPolicies;
  readonly vocabulary: Vocabulary;
}

export const PIECE_LIMITS = {
  policies: 100,
  entities: 250,
  /** Of the tests' files. */
  chars: 256 * 1024,
} as const;

export type TestPiece =
  | { readonly kind: "policies"; readonly policies: readonly LoadedPolicy[] }
  | { readonly kind: "entities"; readonly entities: readonly FileEntity[] }
  | { readonly kind: "text"; readonly file: number; readonly text: string };

/** What goes first: all but what goes in pieces. */
export function withoutPieces({ tests, verified, vocabulary }: TestThreadTask): TestThreadTask {
  const files = tests.files.map(({ name }) => ({ name, text: "" }));
  return {
    tests: { ...tests, files },
    verified: { ...verified, policies: [], entities: [] },
    vocabulary,
  };
}

export function* testPieces({ tests, verified }: TestThreadTask): Generator<TestPiece> {
  const { policies, entities } = verified;
  for (let from = 0; from < policies.length; from += PIECE_LIMITS.policies) {
    yield { kind: "policies", policies: policies.slice(from, from + PIECE_LIMITS.policies) };
  }
  for (let from = 0; from < entities.length; from += PIECE_LIMITS.entities) {
    yield { kind: "entities", entities: entities.slice(from, from + PIECE_LIMITS.entities) };
  }
  for (const [file, { text }] of tests.files.entries()) {
    for (let from = 0; from < text.length; from += PIECE_LIMITS.chars) {
      yield { kind: "text", file, text: text.slice(from, from + PIECE_LIMITS.chars) };
    }
  }
}

/** Puts them together again, behind what went first. */
export function joinPieces(first: TestThreadTask, pieces: Iterable<TestPiece>): TestThreadTask {
  const policies: LoadedPolicy[] = [];
  const entities: FileEntity[] = [];
  const texts = first.tests.files.map(({ text }) => text);
  for (const piece of pieces) {
    if (piece.kind === "policies") for (const one of piece.policies) policies.push(one);
    else if (piece.kind === "entities") for (const one of piece.entities) entities.push(one);
    else texts[piece.file] += piece.text;
  }
  const files = first.tests.files.map(({ name }, index) => ({ name, text: texts[index] ?? "" }));
  return {
    ...first,
    tests: { ...first.tests, files },
    verified: { ...first.verified, policies, entities },
  };
}
