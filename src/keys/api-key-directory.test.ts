import assert from "node:assert/strict";
import { test } from "node:test";
import { directoryOf, MAC, madeEntry, type MadeEntry, told } from "../../test/keys/api-keys.ts";

const [ONE, TWO] = [madeEntry({ subject: "one" }), madeEntry({ subject: "two" })];

const revoked = (made: MadeEntry) => ({ ...made.entry, revoked: true });

test("find() finds a key by its text, and nothing by any other", () => {
  const directory = directoryOf(ONE, TWO);
  assert.equal(directory.find(ONE.text)?.subject, "one");
  assert.equal(directory.find(ONE.text)?.id, ONE.id);
  for (const text of ["", ONE.text.slice(1), `${ONE.text} `, ONE.entry.digest, ONE.id]) {
    assert.equal(directory.find(text), undefined);
  }
});

test("a snapshot takes the place of what was there as a whole, once it is vouched for", () => {
  const directory = directoryOf(ONE);
  directory.apply({ entries: [TWO.entry], gone: [], mac: MAC }, { reset: true });
  assert.ok(directory.find(ONE.text));
  assert.equal(directory.find(TWO.text), undefined);
  const { version } = directory;
  assert.equal(directory.heard(), true);
  assert.ok(directory.version > version);
  assert.equal(directory.find(ONE.text), undefined);
  assert.ok(directory.find(TWO.text));
  assert.equal(directory.heard(), false, "nothing new");
});

test("what a snapshot says is revoked is so before it is whole, and what was revoked stays so", () => {
  const directory = directoryOf(ONE, TWO);
  told(directory, [revoked(TWO)]);
  const known = directory.find(ONE.text);
  assert.ok(known !== undefined && directory.stands(known));
  const news = { entries: [revoked(ONE), TWO.entry], gone: [], mac: undefined };
  directory.apply(news, { reset: true });
  assert.equal(directory.find(ONE.text)?.revoked, true);
  assert.deepEqual([directory.stands(known), directory.ended(known)], [false, true]);
  assert.equal(directory.find(TWO.text)?.revoked, true);
  directory.heard();
  assert.equal(directory.find(TWO.text)?.revoked, false);
});

test("changes after a snapshot began are changes of it", () => {
  const directory = directoryOf(ONE);
  directory.apply({ entries: [ONE.entry, TWO.entry], gone: [], mac: undefined }, { reset: true });
  directory.apply({ entries: [], gone: [ONE.id], mac: undefined }, { reset: false });
  directory.heard();
  assert.equal(directory.find(ONE.text), undefined);
  assert.ok(directory.find(TWO.text));
});

test("a snapshot that is begun anew forgets the one before", () => {
  const directory = directoryOf();
  directory.apply({ entries: [ONE.entry], gone: [], mac: undefined }, { reset: true });
  directory.apply({ entries: [TWO.entry], gone: [], mac: undefined }, { reset: true });
  directory.heard();
  assert.equal(directory.find(ONE.text), undefined);
});

test("apply() says whether an answer may have changed, and throws for what is no entry", () => {
  const directory = directoryOf();
  const nothing = { entries: [], gone: [], mac: undefined };
  const { version } = directory;
  assert.equal(directory.apply(nothing, { reset: false }), false);
  assert.equal(directory.apply({ ...nothing, mac: MAC }, { reset: false }), false, "the same");
  assert.equal(directory.version, version);
  assert.equal(directory.apply({ ...nothing, entries: [ONE.entry] }, { reset: false }), true);
  assert.ok(directory.version > version);
  const bad = { ...nothing, entries: [{ ...ONE.entry, digest: "x" }] };
  assert.throws(() => directory.apply(bad, { reset: false }), TypeError);
});

test("takeUses() gives each key that was used once, with the last time, and bounds them", () => {
  const directory = directoryOf(ONE);
  directory.used(ONE.id, 1);
  directory.used(TWO.id, 2);
  directory.used(ONE.id, 3);
  assert.deepEqual(directory.takeUses(), [
    { id: ONE.id, atMs: 3 },
    { id: TWO.id, atMs: 2 },
  ]);
  assert.deepEqual(directory.takeUses(), []);
  for (let index = 0; index < 10_001; index++) directory.used(String(index), index);
  directory.used("0", 7);
  const uses = directory.takeUses();
  assert.equal(uses.length, 10_000);
  assert.equal(uses[0]?.atMs, 7);
});
