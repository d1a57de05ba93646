/**
 * The integration tests and the fuzzed corpus of the Cedar project (made with Cedar 4.1), one case a
 * test: our evaluator and the official engine that we ship against what the corpus expects.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";
import { corpora } from "../../../test/corpora.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { createAuthorizer, type AuthorizationAnswer } from "./authorizer.ts";
import type { EntityJson, ValueJson } from "./entity-store.ts";
import {
  officialIsAuthorized,
  officialSchemaJson,
  type OfficialRequest,
} from "../official/official-engine.ts";
import type { EntityUidJson } from "./policy-json.ts";
import { splitStatements } from "../load/policy-text.ts";
import { parseWithIntegers } from "../../../test/exact-json.ts";

interface CorpusCase {
  readonly policies: string;
  readonly entities: string;
  readonly schema: string;
  readonly requests: readonly (Omit<OfficialRequest, "entities"> & {
    readonly description: string;
    readonly decision: "allow" | "deny";
    readonly reason: readonly string[];
    readonly errors: readonly string[];
  })[];
}

const root = corpora("cedar");

if (root === undefined) {
  void test(
    "Cedar corpus",
    { skip: "the corpus is not here (SALLYPORT_CORPORA)" },
    () => undefined,
  );
} else {
  for (const folder of ["tests", "corpus-tests"]) {
    const files = caseFiles(join(root, folder));
    void test(`Cedar corpus: ${folder} has its cases`, () => {
      assert.equal(files.length, folder === "tests" ? 22 : 530);
    });
    for (const file of files) {
      void test(`Cedar corpus: ${file.slice(root.length + 1)}`, () => runCase(root, file));
    }
  }
}

function caseFiles(folder: string): string[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return caseFiles(path);
      return name.endsWith(".json") && !name.endsWith(".entities.json") ? [path] : [];
    })
    .toSorted();
}

function runCase(base: string, file: string): void {
  const corpusCase = parseWithIntegers(readFileSync(file, "utf8"), "bigint") as CorpusCase;
  const exact = parseWithIntegers(readFileSync(file, "utf8"), "raw") as CorpusCase;
  const text = readFileSync(join(base, corpusCase.policies), "utf8");
  const schema = readFileSync(join(base, corpusCase.schema), "utf8");
  const entitiesText = readFileSync(join(base, corpusCase.entities), "utf8");
  const entities = explicitReferences(parseWithIntegers(entitiesText, "bigint")) as EntityJson[];
  const policies = policiesOf(text);
  const ours = createAuthorizer({
    policies: new Map(Object.entries(policies).map(([id, policy]) => [id, policyJsonOf(policy)])),
  });
  const withActions = [...entities, ...missingActions(schema, entities)];

  for (const [index, request] of corpusCase.requests.entries()) {
    const expected = {
      decision: request.decision,
      determining: request.reason,
      erroring: request.errors,
    };
    const answer = ours.isAuthorized({
      ...request,
      context: request.context as Record<string, ValueJson>,
      entities: withActions,
    });
    assert.deepEqual(sorted(answer), sorted(expected), `ours: ${request.description}`);

    const official = officialIsAuthorized(
      {
        principal: request.principal,
        action: request.action,
        resource: request.resource,
        context: exact.requests[index]?.context ?? {},
        entities: parseWithIntegers(entitiesText, "raw") as unknown[],
        schema,
        validateRequest: false,
      },
      { policies },
    );
    assert.ok(official.value !== undefined, `official: ${JSON.stringify(official.errors)}`);
    assert.deepEqual(sorted(official.value), sorted(expected), `official: ${request.description}`);
  }
}

function sorted(answer: AuthorizationAnswer): AuthorizationAnswer {
  return {
    decision: answer.decision,
    determining: answer.determining.toSorted(),
    erroring: answer.erroring.toSorted(),
  };
}

/** The corpus names policies by their place. */
function policiesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    splitStatements(text).map((statement, index) => [`policy${String(index)}`, statement.text]),
  );
}

/**
 * With a schema, the official engine reads `{ type, id }` in an attribute as a reference; ours consults
 * none. No record of the corpus has just these two fields.
 */
function explicitReferences(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(explicitReferences);
  if (Object.keys(json).toSorted().join() === "id,type") return { __entity: json };
  const entries = Object.entries(json).map(([name, value]) => [
    name,
    name === "__entity" ? (value as unknown) : explicitReferences(value),
  ]);
  return Object.fromEntries(entries) as unknown;
}

/** The official engine takes actions and their groups from the schema; ours takes only entities. */
function missingActions(schema: string, entities: readonly EntityJson[]): EntityJson[] {
  const { value } = officialSchemaJson(schema);
  assert.ok(value !== undefined);
  const present = new Set(entities.map(({ uid }) => uidKey(uid)));
  return Object.entries(value).flatMap(([namespace, definition]) => {
    const { actions } = definition as {
      actions: Record<string, { memberOf?: { id: string; type?: string }[] }>;
    };
    const type = namespace === "" ? "Action" : `${namespace}::Action`;
    return Object.entries(actions)
      .map(([id, { memberOf }]) => ({
        uid: { type, id },
        attrs: {},
        parents: (memberOf ?? []).map((group) => ({ type: group.type ?? type, id: group.id })),
      }))
      .filter(({ uid }) => !present.has(uidKey(uid)));
  });
}

function uidKey(uid: EntityUidJson): string {
  const { __entity: wrapped } = uid as { __entity?: { type: string; id: string } };
  const { type, id } = wrapped ?? (uid as { type: string; id: string });
  return JSON.stringify([type, id]);
}
