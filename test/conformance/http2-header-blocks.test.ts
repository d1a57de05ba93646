/**
 * Every header block that python-hyper/h2 tests as invalid, at the level of our readers: refused, and
 * for the one field that is wrong with it, since without that field the block is accepted.
 */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import test from "node:test";
import {
  DEFAULT_HEAD_LIMITS,
  isHeadFault,
  readRequestFields,
} from "../../src/wire/http2/request-fields.ts";
import { corpora } from "../corpora.ts";

type Block = readonly (readonly [name: string, value: string])[];

const path = corpora("http2/h2-invalid-header-blocks.json");
const skip = path === undefined ? "the HTTP/2 corpus is absent" : false;
const blocks = path === undefined ? [] : blocksOf(path);

/** What is not `malformed-request`. */
const OTHERWISE: ReadonlyMap<string, string> = new Map([
  ["host=evil.example.com", "invalid-host"],
  ["host=notexample.com", "invalid-host"],
  ["nothing", "invalid-host"],
]);

test("the corpus is whole", { skip }, () => {
  assert.equal(blocks.length, 25);
});

for (const [index, block] of blocks.entries()) {
  const wrong = wrongField(block);
  test(`block ${index} is refused for ${JSON.stringify(wrong)}`, () => {
    assert.equal(reasonOf(block), OTHERWISE.get(wrong) ?? "malformed-request");
    if (wrong !== "nothing") return;
    // The one block that lacks something.
    assert.equal(reasonOf([[":authority", "example.com"], ...block]), "accepted");
  });
}

test("no block lacks something but one", { skip }, () => {
  assert.equal(blocks.filter((block) => wrongField(block) === "nothing").length, 1);
});

/** The last field without which the block is accepted. */
function wrongField(block: Block): string {
  const without = (at: number): Block => block.filter((_, index) => index !== at);
  const index = block.findLastIndex((_, at) => reasonOf(without(at)) === "accepted");
  return index === -1 ? "nothing" : (block[index] ?? []).join("=");
}

function reasonOf(block: Block): string {
  const read = readRequestFields(block.flat(), true, DEFAULT_HEAD_LIMITS);
  return isHeadFault(read) ? read.reason : "accepted";
}

function blocksOf(file: string): Block[] {
  const corpus = JSON.parse(readFileSync(file, "utf8")) as { readonly cases: readonly Block[] };
  return [...corpus.cases];
}
