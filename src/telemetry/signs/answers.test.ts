/** Which signs are answered, of whom, and how often. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  ALL_OFF,
  type Changes,
  decisionAt,
  openSigns,
  signsFolder,
} from "../../../test/signs-kit.ts";
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import { signsSchema } from "./signs-options.ts";

const BURST = {
  ...ALL_OFF,
  refusalBurst: { principal: 3, address: 3 },
  answer: { refusalBurst: { block: "15m" } },
} as const;
const REFUSED: Changes = { decision: "deny", reason: "no-permit" };

function burst(afterMs = 0, changes: Changes = {}) {
  return [0, 1, 2].map((ms) => decisionAt(afterMs + ms, { ...REFUSED, ...changes }));
}

test("a sign of a principal is answered, once within `repeat`", (t) => {
  const stage = openSigns(BURST, { folder: signsFolder(t) });
  const lines = burst();
  stage.take(...lines);
  assert.deepEqual(stage.answers, [
    {
      sign: "refusal-burst",
      authenticator: "corp",
      subject: "ada",
      blockMs: 900_000,
      decisions: lines.map(({ decisionId }) => decisionId),
      late: false,
    },
  ]);
  stage.take(...burst(1000));
  assert.equal(stage.answers.length, 1);
  stage.clock.advance(2 * 3_600_000);
  stage.take(...burst(2 * 3_600_000));
  assert.equal(stage.answers.length, 2);
});

test("one answer for each sign of a principal, also when the sign is said of two credentials", (t) => {
  const options = { ...ALL_OFF, twoPlaces: {}, answer: { twoPlaces: { revoke: true } } } as const;
  const stage = openSigns(options, { folder: signsFolder(t) });
  for (const hash of ["one", "two"]) {
    const credentials = [{ hash, kind: "bearer", outcome: "used" }] as const;
    stage.take(decisionAt(0, { credentials, peerAddress: "192.0.2.1" }));
    stage.take(decisionAt(1, { credentials, peerAddress: "198.51.100.1" }));
  }
  assert.equal(stage.said().length, 2);
  assert.deepEqual(
    stage.answers.map(({ blockMs, subject }) => [subject, blockMs]),
    [["ada", undefined]],
  );
});

const UNANSWERED: readonly [name: string, changes: Changes][] = [
  ["a caller that is not known", { principal: undefined, reason: "invalid-signature" }],
  [
    "anonymous callers",
    { principal: { authenticator: "anonymous", kind: "anonymous", subject: "anonymous" } },
  ],
  ["an operator at the admin API", { route: ADMIN_ROUTE }],
];
for (const [name, changes] of UNANSWERED) {
  test(`a sign of ${name} is said and not answered`, (t) => {
    const stage = openSigns(BURST, { folder: signsFolder(t) });
    stage.take(...burst(0, changes));
    assert.deepEqual(stage.said(), ["refusal-burst"]);
    assert.deepEqual(stage.answers, []);
  });
}

test("a sign without an answer, and all signs when there is none, are only said", (t) => {
  for (const answer of [undefined, {}, { twoPlaces: { revoke: true } }] as const) {
    const stage = openSigns({ ...BURST, answer }, { folder: signsFolder(t) });
    stage.take(...burst());
    assert.deepEqual(stage.said(), ["refusal-burst"]);
    assert.deepEqual(stage.answers, []);
  }
});

test("what was answered is not answered again after a restart, and lateness is told", async (t) => {
  const folder = signsFolder(t);
  const first = openSigns(BURST, { folder });
  await first.signs.commit?.();
  first.take(...burst());
  // At once, although the file was just written.
  await first.signs.commit?.();
  const kept = JSON.parse(readFileSync(join(folder, "signs.json"), "utf8")) as object;
  assert.deepEqual(Object.keys((kept as { answered: object }).answered), [
    "refusal-burst corp/ada",
  ]);
  const second = openSigns(BURST, { folder });
  second.take(...burst(1000));
  assert.deepEqual(second.said(), ["refusal-burst"]);
  assert.deepEqual(second.answers, []);
  second.clock.advance(301_000);
  const principal = { authenticator: "corp", kind: "workload", subject: "bob" } as const;
  second.take(...burst(0, { principal }));
  // That nothing was done does not keep the next one from being answered.
  second.clock.advance(3_600_000);
  second.take(...burst(3_901_000, { principal }));
  assert.deepEqual(
    second.answers.map(({ subject, late }) => [subject, late]),
    [
      ["bob", true],
      ["bob", false],
    ],
  );
});

test("an answer is one of two, to a rule that names a principal", () => {
  const refused = [
    { revokedCredential: { revoke: true } },
    { refusalBurst: { revoke: false } },
    { refusalBurst: { revoke: true, block: "15m" } },
    { refusalBurst: {} },
    { refusalBurst: { block: "1s" } },
    { refusalBurst: { block: "31d" } },
  ];
  for (const answer of refused) assert.ok(!signsSchema.safeParse({ answer }).success);
  assert.equal(signsSchema.parse({}).answer, undefined);
});
