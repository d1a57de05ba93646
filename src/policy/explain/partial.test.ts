import { test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import * as fc from "fast-check";
import {
  generatedCase,
  type GeneratedCase,
  type GeneratedRequest,
} from "../../../test/cedar-arbitraries.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { compilePolicy, inScope } from "../cedar/compile-policy.ts";
import { entityStore, recordValue } from "../cedar/entity-store.ts";
import type { Entity, Environment } from "../cedar/environment.ts";
import { EvaluationError } from "../cedar/evaluation-error.ts";
import { uidFromJson } from "../cedar/policy-json.ts";
import { CedarRecord, CedarSet, type EntityUid, type Value } from "../cedar/values.ts";
import { createPlaces, splitStatements } from "../load/policy-text.ts";
import { clausedPolicy, type ClausedPolicy } from "./clauses.ts";
import { decidePartly, outcomeOf } from "./partial.ts";
import { MAY } from "./partial-expression.ts";
import { OpenAncestors, PartialRecord, UnknownRead, type Unknown } from "./unknown.ts";
import { typeOf } from "./value-types.ts";

const runs = Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "300");

void test("outcomeOf() leaves open what the evaluation of the whole request comes to", () => {
  const seen = { certain: 0, open: 0, differing: 0 };
  fc.assert(
    fc.property(generatedCase, fc.infiniteStream(fc.nat(99)), (generated, dice) => {
      for (const request of generated.requests) {
        const roll = (): number => dice.next().value;
        const { whole, partial } = environmentsOf(generated, request, roll);
        for (const policy of policiesOf(generated)) {
          const outcome = outcomeOf(policy.claused, { environment: partial, options: {} });
          const actual = actualOutcome(policy.compiled, whole);
          assert.ok(
            (outcome.may & actual) !== 0,
            `${policy.text}: ${actual} is not in ${outcome.may}`,
          );
          if (outcome.applies === "depends") seen.open += 1;
          else seen.certain += 1;
        }
      }
    }),
    { numRuns: runs },
  );
  assert.ok(seen.open > runs / 20, `only ${seen.open} were open`);
  assert.ok(seen.certain > runs / 2, `only ${seen.certain} were certain`);
});

void test("decidePartly() says yes or no only where the whole request gets the same", () => {
  const seen = { permit: 0, deny: 0, depends: 0 };
  fc.assert(
    fc.property(generatedCase, fc.infiniteStream(fc.nat(99)), (generated, dice) => {
      for (const request of generated.requests) {
        const roll = (): number => dice.next().value;
        const { whole, partial } = environmentsOf(generated, request, roll);
        const policies = policiesOf(generated);
        const claused = policies.map((policy) => policy.claused);
        const answer = decidePartly(claused, partial);
        const actual = decidePartly(claused, whole);
        assert.notEqual(actual.decision, "depends");
        seen[answer.decision] += 1;
        if (answer.decision !== "depends") assert.equal(answer.decision, actual.decision);
        if (answer.reason !== undefined) {
          assert.equal(answer.reason, actual.reason);
          for (const id of answer.determining) assert.ok(actual.determining.includes(id));
        }
      }
    }),
    { numRuns: 2 * runs },
  );
  // What depends is rare: some 18 of 600.
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, what);
});

interface Prepared {
  readonly text: string;
  readonly claused: ClausedPolicy;
  readonly compiled: ReturnType<typeof compilePolicy>;
}

function policiesOf({ policies }: GeneratedCase): readonly Prepared[] {
  return Object.entries(policies).map(([id, text], order) => {
    const [statement] = splitStatements(text);
    assert.ok(statement !== undefined);
    const json = policyJsonOf(text);
    const claused = clausedPolicy({ id, order, json, statement, placeOf: createPlaces(text) });
    return { text, claused, compiled: compilePolicy(json, { id, order }) };
  });
}

/** The bit of what the policy comes to. */
function actualOutcome(policy: Prepared["compiled"], environment: Environment): number {
  for (const kind of ["principal", "action", "resource"] as const) {
    const uid = environment[kind];
    if (!inScope(policy[kind], uid, environment.entity(uid)?.ancestors)) return MAY.false;
  }
  try {
    return policy.applies(environment) ? MAY.true : MAY.false;
  } catch (error) {
    assert.ok(error instanceof EvaluationError);
    return MAY.error;
  }
}

interface Environments {
  readonly whole: Environment;
  /** The same request, of which the dice have hidden some. */
  readonly partial: Environment;
}

function environmentsOf(
  { entities }: GeneratedCase,
  request: GeneratedRequest,
  roll: () => number,
): Environments {
  const store = entityStore(entities);
  const whole: Environment = {
    principal: uidFromJson(request.principal),
    action: uidFromJson(request.action),
    resource: uidFromJson(request.resource),
    context: recordValue(request.context),
    entity: (uid) => store.get(uid.key),
  };
  const hidden = new Map(
    [...store].map(([key, entity]) => [key, partlyHidden(key, entity, roll)] as const),
  );
  const context = hide("context", whole.context, roll);
  const { action, resource } = whole;
  const entity = (uid: EntityUid): Entity | undefined => hidden.get(uid.key);
  const known = { action, resource, context, entity };
  if (roll() < 80) return { whole, partial: { ...known, principal: whole.principal } };
  // Somebody: then nothing may be known of any entity that he may be.
  const { type } = whole.principal;
  const name = "principal";
  const own = hidden.get(whole.principal.key) ?? NOBODY;
  return {
    whole,
    partial: {
      ...known,
      get principal(): never {
        throw new UnknownRead({ name, type: "entity", entity: { type, data: own } });
      },
    },
  };
}

const NOBODY: Entity = {
  attributes: new PartialRecord({
    name: "x",
    known: recordValue({}),
    unknown: new Map(),
    open: { maybeAbsent: true },
  }),
  tags: new PartialRecord({
    name: "x",
    known: recordValue({}),
    unknown: new Map(),
    open: { maybeAbsent: true },
  }),
  ancestors: new OpenAncestors("x", []),
};

function partlyHidden(key: string, entity: Entity, roll: () => number): Entity {
  const { attributes, tags, ancestors } = entity;
  return {
    attributes: hide(key, attributes, roll),
    tags: hide(key, tags, roll),
    ancestors:
      roll() < 70
        ? ancestors
        : new OpenAncestors(
            key,
            [...ancestors].filter(() => roll() < 50),
          ),
  };
}

/** Hides members in each of the ways that there are. */
function hide(name: string, record: CedarRecord, roll: () => number): CedarRecord {
  if (roll() < 30) return record;
  const unknown = new Map<string, Unknown>();
  const kept = new Map<string, Value>();
  for (const [member, value] of record.entries()) {
    const own = `${name}.${member}`;
    const die = roll();
    if (die < 30) kept.set(member, value);
    else if (die < 50) unknown.set(member, { name: own, type: typeOf(value) });
    else if (die < 60) unknown.set(member, { name: own, type: typeOf(value), maybeAbsent: true });
    else if (die < 70) unknown.set(member, { name: own, mayErr: true, maybeAbsent: true });
    else if (die < 80) unknown.set(member, { name: own, maybeAbsent: true, value });
    else if (value instanceof CedarRecord) kept.set(member, hide(own, value, roll));
    else unknown.set(member, { name: own, type: typeOf(value), ...hashedOf(value) });
  }
  for (const absent of ["a", "string", "record", "bool"]) {
    if (!record.has(absent) && roll() < 20) {
      unknown.set(absent, { name: `${name}.${absent}`, maybeAbsent: true });
    }
  }
  return new PartialRecord({
    name,
    known: new CedarRecord(kept),
    unknown,
    ...(roll() < 10 && { open: { maybeAbsent: true } }),
  });
}

function hashedOf(value: Value): Pick<Unknown, "hashed"> {
  if (!(value instanceof CedarSet)) return {};
  const texts = value.elements.filter((one) => typeof one === "string");
  if (texts.length < value.elements.length) return {};
  return { hashed: { hashes: new Set(texts.map(hash)), hash } };
}

function hash(value: string): string {
  return createHmac("sha256", "key").update(value).digest("base64url");
}
