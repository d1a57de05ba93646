import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CREATED, madeEntry, type MadeEntry } from "../../test/keys/api-keys.ts";
import {
  API_KEY_LIMITS,
  type ApiKeyEntry,
  readApiKeyProfile,
  writeApiKeyProfile,
} from "../model/api-keys.ts";
import { ApiKeyTable, entryWeight } from "./api-key-table.ts";

const digestOf = ({ digest }: ApiKeyEntry): Buffer => Buffer.from(digest, "base64url");

/** Many whose first words lie close together, so that they push each other on. */
const CROWD: readonly MadeEntry[] = Array.from({ length: 60 }, (_, index) => {
  const made = madeEntry({ subject: `owner-${index % 7}`, scopes: [`s${index % 3}`] });
  const digest = Buffer.from(made.entry.digest, "base64url");
  digest.writeUInt32BE(index % 4, 0);
  digest.writeUInt32BE(1024 * (index % 5), 12);
  const text = digest.toString("base64url");
  return {
    ...made,
    id: digest.toString("hex", 0, 16),
    entry: { ...made.entry, digest: text },
  };
});

type Step = readonly ["set" | "delete" | "revoke", number];

test("ApiKeyTable holds what a Map would, whatever comes and goes", () => {
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom("set", "set", "delete", "revoke"),
    fc.nat(CROWD.length - 1),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new ApiKeyTable();
      const model = new Map<string, ApiKeyEntry>();
      for (const [what, index] of steps) {
        const { entry, id } = CROWD[index] as MadeEntry;
        if (what === "delete") assert.equal(table.delete(id), model.delete(id));
        else {
          const next = { ...entry, revoked: what === "revoke" };
          table.set(next);
          model.set(id, next);
        }
      }
      assert.equal(table.size, model.size);
      for (const { entry, id } of CROWD) {
        const row = table.find(digestOf(entry));
        const known = model.get(id);
        assert.equal(row === undefined, known === undefined);
        if (row === undefined || known === undefined) continue;
        assert.equal(row.subject, known.subject);
        assert.equal(row.revoked, known.revoked);
        assert.deepEqual(row.profile?.scopes, readApiKeyProfile(known.profile)?.scopes);
      }
      const told = [...table.pieces(2000).pieces].flat();
      const byDigest = (a: ApiKeyEntry, b: ApiKeyEntry): number => (a.digest < b.digest ? -1 : 1);
      assert.deepEqual(told.toSorted(byDigest), [...model.values()].toSorted(byDigest));
    }),
  );
});

test("find() wants all of the digest, not the half that it looks up by", () => {
  const { entry } = madeEntry();
  const table = new ApiKeyTable();
  table.set(entry);
  assert.ok(table.find(digestOf(entry)));
  for (let at = 0; at < 32; at++) {
    const other = digestOf(entry);
    other[at] = (other[at] ?? 0) ^ 1;
    assert.equal(table.find(other), undefined, `byte ${at}`);
  }
});

test("pieces() cuts by bytes, is a copy, and has one where there is nothing", () => {
  const table = new ApiKeyTable();
  const empty = table.pieces(1000);
  assert.deepEqual([empty.count, [...empty.pieces]], [1, [[]]]);
  for (const { entry } of CROWD) table.set(entry);
  const made = table.pieces(1500);
  table.clear();
  const pieces = [...made.pieces];
  assert.equal(pieces.length, made.count);
  assert.ok(pieces.length > 5);
  assert.equal(pieces.flat().length, CROWD.length);
  for (const piece of pieces) {
    const profiles = new Set(piece.map(({ profile }) => profile));
    const texts = [...profiles].reduce((sum, profile) => sum + entryWeight("", profile) - 100, 0);
    const weight = piece.reduce((sum, { subject }) => sum + entryWeight(subject, ""), texts);
    assert.ok(weight <= 1500, String(weight));
  }
});

test("sweep() forgets a key a month after it expired, and not before", () => {
  const table = new ApiKeyTable();
  const [soon, late] = [
    madeEntry({ expiresMs: CREATED + 1000 }),
    madeEntry({ expiresMs: CREATED + 86_400_000 }),
  ];
  for (const { entry } of [soon, late]) table.set(entry);
  assert.equal(table.sweep(CREATED + API_KEY_LIMITS.keptMs, table.parts), 0);
  assert.equal(table.sweep(CREATED + API_KEY_LIMITS.keptMs + 5000, table.parts), 1);
  assert.equal(table.find(digestOf(soon.entry)), undefined);
  assert.ok(table.find(digestOf(late.entry)));
});

test("set() and delete() throw TypeError for what is no digest and no id", () => {
  const table = new ApiKeyTable();
  const { entry } = madeEntry();
  for (const digest of [
    "",
    entry.digest.slice(1),
    `${entry.digest}A`,
    `${entry.digest.slice(0, -1)}_`,
  ]) {
    assert.throws(() => table.set({ ...entry, digest }), TypeError);
  }
  assert.throws(() => table.delete("x"), TypeError);
  assert.throws(() => table.delete(entry.digest), TypeError);
});

test("readApiKeyProfile() gives back what was written, and nothing for what it does not know", () => {
  const profile = {
    authenticator: "partners",
    scopes: ["a"],
    roles: [],
    groups: ["g"],
    attributes: { b: 1, a: ["x"] },
    services: ["billing"],
  };
  const text = writeApiKeyProfile(profile);
  assert.deepEqual(JSON.parse(JSON.stringify(readApiKeyProfile(text))), profile);
  const turned = { ...profile, attributes: { a: ["x"], b: 1 } };
  assert.equal(writeApiKeyProfile(turned), text, "one text for one profile");
  for (const other of [
    "",
    "[]",
    "{}",
    '{"authenticator":1}',
    text.replace("{", '{"networks":[],'),
    text.replace('["billing"]', '"billing"'),
    text.replace('["a"]', "[1]"),
    text.replace('{"a"', '[{"a"').replace("}", "}]"),
  ]) {
    assert.equal(readApiKeyProfile(other), undefined, other);
  }
});
