/**
 * One question, one answer: what the evaluator says of a whole request, and what explain and replay say of
 * its record as the log has it, is what the official engine says. For generated policy sets (templates, data
 * files, values of bodies, forbids that err) and some written by hand. The gate differs in one thing: a
 * `forbid` that errs denies. Where a record has only the hash of a value, an answer may be uncertain; then
 * there are two values of it that get different answers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createRecordReader } from "../../src/audit/fast-record.ts";
import { Lines } from "../../src/audit/lines.ts";
import { createQueryMask } from "../../src/audit/query-mask.ts";
import { isRecordFault, type RecordedDecision } from "../../src/audit/record-schema.ts";
import { Serializer } from "../../src/audit/serialize.ts";
import { createValueHash } from "../../src/audit/value-hash.ts";
import type { PolicyDecision, PolicyRequest } from "../../src/model/policy.ts";
import { explainPolicies, type PolicyExplanation } from "../../src/policy/explain/explanation.ts";
import { recordedRequest } from "../../src/policy/explain/recorded-request.ts";
import type { OfficialAnswer } from "../../src/policy/official/official-engine.ts";
import { Replay } from "../../src/policy/replay/replay.ts";
import { createSettle, type Settled } from "../../src/policy/replay/settle.ts";
import { permit } from "../audit-kit.ts";
import {
  type Data,
  dataFiles,
  type LoadedSet,
  loadedSet,
  officialAnswer,
  policyTexts,
  requests,
  sourceOf,
  VOCABULARY,
} from "./file-data-ground.ts";

const RUNS = Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "30");

const hash = createValueHash(new Uint8Array(32));
const read = createRecordReader();

/** How much of a request its record holds. */
interface Kept {
  readonly query: "kept" | "masked";
  /** Values of bodies that stand there in clear. */
  readonly clear: readonly string[];
}

const BODY = ["amount", "iban", "urgent", "tags"] as const;
const WHOLE: Kept = { query: "kept", clear: BODY };
const HASHED: Kept = { query: "masked", clear: [] };

/** As the gate records it, and the log gives it back. */
function recorded(one: PolicyRequest, set: LoadedSet, kept: Kept): RecordedDecision {
  const { reason, determining, erroring, reads } = set.gate.decide(one);
  const { action: _a, ip, fields: _f, host, body, issue: _i, ...same } = one;
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: kept.query, keep: [] }),
    hash,
  });
  const lines = new Lines(1024);
  const record = permit({
    ...same,
    body: body && { values: body, clear: new Set(kept.clear) },
    host: `${host}:8443`,
    peerAddress: ip,
    service: "orders",
    decision: reason === "permitted" ? "permit" : "deny",
    reason,
    determining,
    erroring,
    reads,
    bundle: set.gate.hash,
  });
  serializer.decision(lines, record, false);
  const entry = read(Buffer.from(lines.copy()).toString("utf8"));
  assert.ok(!isRecordFault(entry) && entry.type === "decision");
  return entry;
}

interface Answers {
  readonly gate: PolicyDecision;
  readonly official: OfficialAnswer;
  readonly explain: PolicyExplanation;
  readonly replay: Settled;
}

function answersOf(
  one: PolicyRequest,
  { set, official, kept }: { set: LoadedSet; official: OfficialAnswer; kept: Kept },
): Answers {
  const record = recorded(one, set, kept);
  const asked = recordedRequest(record, { hash });
  assert.ok(asked !== undefined);
  const settle = createSettle(set);
  const answered = new Replay(set.gate, VOCABULARY, { settle, hash }).answer(record);
  assert.ok(answered.leftOut === undefined);
  return {
    gate: set.gate.decide(one),
    official,
    explain: explainPolicies(set, { request: asked, hidden: asked.hidden }),
    replay: answered.settled,
  };
}

/** Holds all of them to be one answer, and tells which. */
function held({ gate, official, explain, replay }: Answers, set: LoadedSet): string {
  const forbids = new Set(
    set.policies.flatMap(({ id, effect }) => (effect === "forbid" ? id : [])),
  );
  assert.deepEqual(gate.erroring.toSorted(), official.erroring.toSorted());
  if (gate.reason === "policy-error") {
    assert.deepEqual(
      gate.determining,
      gate.erroring.filter((id) => forbids.has(id)),
    );
    assert.ok(gate.determining.length > 0);
  } else {
    assert.equal(gate.reason === "permitted", official.decision === "allow");
    assert.deepEqual(gate.determining.toSorted(), official.determining.toSorted());
  }
  const open =
    explain.mayErr.length > 0 || explain.policies.some((one) => one.applies === "depends");
  const decided = replay.answer;
  // As sure as explain, and of the same.
  assert.equal(decided === undefined, explain.decision === "depends");
  if (decided === undefined) return "uncertain";
  assert.equal(decided.isWhole, !open);
  assert.equal(decided.permits, gate.reason === "permitted");
  assert.equal(explain.decision === "permit", gate.reason === "permitted");
  assert.deepEqual(
    [decided.reason, decided.determining, decided.erroring],
    [explain.reason, explain.determining, explain.erroring],
  );
  if (open) return "open";
  const { reason, determining, erroring } = explain;
  assert.deepEqual([reason, determining, erroring], [gate.reason, gate.determining, gate.erroring]);
  return gate.reason;
}

/** Other values that the hashed ones could be, as far as the generated policies tell them apart. */
const OTHERS = {
  amount: [1, 1000, 2n ** 63n - 1n],
  iban: ["DE1", "DE2", "FR1", "IT1"],
} as const;

/** Whether the request gets another answer with another value of what its record has as a hash. */
function matters(one: PolicyRequest, set: LoadedSet, kept: Kept): boolean {
  const answers = new Set<string>();
  const isHashed = (name: string): boolean =>
    one.body?.[name] !== undefined && !kept.clear.includes(name);
  for (const amount of isHashed("amount") ? OTHERS.amount : [undefined]) {
    for (const iban of isHashed("iban") ? OTHERS.iban : [undefined]) {
      const body = {
        ...one.body,
        ...(amount === undefined ? {} : { amount }),
        ...(iban === undefined ? {} : { iban }),
      };
      const { reason, determining, erroring } = set.gate.decide({ ...one, body });
      answers.add(JSON.stringify([reason, determining, erroring]));
    }
  }
  return answers.size > 1;
}

test("evaluator, explain, replay and the official engine give one answer", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      dataFiles,
      policyTexts,
      fc.array(requests, { minLength: 6, maxLength: 10 }),
      fc.record({
        query: fc.constantFrom("kept" as const, "masked" as const),
        clear: fc.oneof(fc.constant([...BODY]), fc.subarray([...BODY])),
      }),
      async (given, texts, asked, kept) => {
        const set = await loadedSet(sourceOf(given, texts));
        for (const one of asked) {
          const official = officialAnswer(one, given, texts);
          const answer = held(answersOf(one, { set, official, kept }), set);
          seen.set(answer, (seen.get(answer) ?? 0) + 1);
          if (answer === "uncertain" || answer === "open") {
            assert.ok(matters(one, set, kept), "uncertain although it makes no difference");
          }
          const whole = held(answersOf(one, { set, official, kept: WHOLE }), set);
          assert.ok(whole !== "uncertain" && whole !== "open", whole);
        }
      },
    ),
    { numRuns: RUNS },
  );
  for (const answer of ["permitted", "forbidden", "no-permit"]) {
    assert.ok((seen.get(answer) ?? 0) > RUNS / 10, `${answer}: ${String(seen.get(answer))}`);
  }
});

const NO_DATA: Data = { groups: {}, roles: {}, entities: {}, links: [] };
const ANN = {
  kind: "user",
  authenticator: "corp",
  subject: "ann",
  roles: [],
  groups: [],
  attributes: { tenant: "t1" },
} as const;
const BASE: PolicyRequest = {
  principal: ANN,
  action: "POST",
  route: "orders",
  path: "/a",
  host: "h",
  method: "POST",
  params: {},
  query: undefined,
  fields: [],
  ip: "10.0.0.1",
  timeMs: 0,
  scopes: [],
  authn: {
    kind: "jwt",
    authenticator: "corp",
    ageSeconds: 1,
    acr: undefined,
    amr: [],
    bound: false,
  },
  workload: undefined,
};
const ALL = "permit (principal, action, resource);";
const iban = (condition: string): string =>
  `context has body && context.body has iban && ${condition}`;

interface ByHand {
  readonly what: string;
  readonly texts: readonly string[];
  readonly data?: Partial<Data>;
  readonly request?: Partial<PolicyRequest>;
  readonly kept?: Kept;
  readonly answer: string;
}

const BY_HAND: readonly ByHand[] = [
  {
    what: "a link of a template permits",
    texts: ["permit (principal, action, resource) when { false || context.authn.bound };"],
    data: {
      groups: { g0: { members: ['User::"corp/ann"'], in: [] } },
      links: [{ template: "owns", id: "l", principal: 'Group::"g0"' }],
    },
    answer: "permitted",
  },
  {
    what: "a link forbids by an attribute of a data file, and errs where it overflows",
    texts: [ALL],
    data: {
      entities: {
        'User::"corp/ann"': { attributes: { clearance: 2n ** 63n - 1n }, in: ['Role::"on-call"'] },
      },
      roles: { "on-call": [] },
      links: [
        {
          template: "never",
          id: "l",
          principal: 'Role::"on-call"',
          resource: 'Service::"orders"',
        },
      ],
    },
    answer: "policy-error",
  },
  {
    what: "a forbid errs beside one that applies",
    texts: [
      ALL,
      "forbid (principal, action, resource) when { context.authn.age < 60 };",
      `forbid (principal, action, resource) when { ${iban("context.body has amount && context.body.amount + 1 > 0")} };`,
    ],
    request: { body: { iban: "DE1", amount: 2n ** 63n - 1n } },
    answer: "forbidden",
  },
  {
    what: "a permit errs and another permits",
    texts: [
      ALL,
      "permit (principal, action, resource) when { context has body && context.body has amount && context.body.amount + 1 > 0 };",
    ],
    request: { body: { amount: 2n ** 63n - 1n } },
    answer: "permitted",
  },
  ...(
    [
      ['context.body.iban == "DE1"', "permitted"],
      ['"DE1" == context.body.iban', "permitted"],
      ['context.body.iban != "DE2"', "permitted"],
      ['["DE2", "DE1"].contains(context.body.iban)', "permitted"],
      ['["DE2"].contains(context.body.iban)', "no-permit"],
      ["context.body has amount && context.body.amount == 7", "permitted"],
      ["context.body has amount && context.body.amount != 7", "no-permit"],
      ["context.body has urgent && context.body.urgent", "permitted"],
      ['context.body has tags && context.body.tags == ["b", "a"]', "permitted"],
      ['context.body.iban like "DE*"', "uncertain"],
      ["context.body has amount && context.body.amount > 5", "uncertain"],
    ] as const
  ).map(([condition, answer]): ByHand => ({
    what: `${condition} of what is hashed`,
    texts: [`permit (principal, action, resource) when { ${iban(condition)} };`],
    request: { body: { iban: "DE1", amount: 7, urgent: true, tags: ["a", "b"] } },
    kept: HASHED,
    answer,
  })),
  {
    what: "a hashed value that makes no difference",
    texts: [
      ALL,
      `permit (principal, action, resource) when { ${iban('context.body.iban like "DE*"')} && context.path == "/b" };`,
    ],
    request: { body: { iban: "DE1" } },
    kept: HASHED,
    answer: "permitted",
  },
  {
    what: "a body that was not there, of which policies of then knew",
    texts: [ALL, "forbid (principal, action, resource) unless { context has body };"],
    answer: "forbidden",
    kept: HASHED,
  },
  {
    what: "a header and a parameter of which the record has hashes",
    texts: [
      'permit (principal, action, resource) when { context.headers.hasTag("x-team") && context.headers.getTag("x-team").contains("ops") && context.query.hasTag("a") && context.query.getTag("a") == ["1"] };',
    ],
    request: { fields: ["x-team", "ops"], query: "a=1" },
    kept: HASHED,
    answer: "permitted",
  },
];

for (const { what, texts, data, request, kept = WHOLE, answer } of BY_HAND) {
  test(`${what}: ${answer}`, async () => {
    const given = { ...NO_DATA, ...data };
    const one = { ...BASE, ...request };
    const set = await loadedSet(sourceOf(given, texts));
    const official = officialAnswer(one, given, texts);
    assert.equal(held(answersOf(one, { set, official, kept }), set), answer);
  });
}
