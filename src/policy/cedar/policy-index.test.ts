import { test } from "node:test";
import assert from "node:assert/strict";
import { compilePolicy, type CompiledPolicy } from "./compile-policy.ts";
import { Evaluation, idsInOrder } from "./evaluation.ts";
import type { Environment } from "./environment.ts";
import { officialPolicyJson } from "../official/official-engine.ts";
import { PolicyIndex, type PlacedEntity } from "./policy-index.ts";
import { EMPTY_RECORD, EntityUid } from "./values.ts";

function placed(type: string, id: string, ...ancestors: string[]): PlacedEntity {
  const keys = ancestors.map((name) => new EntityUid("Group", name).key);
  return { uid: new EntityUid(type, id), ancestors: new Set(keys) };
}

const READ = placed("Action", "read");
const DOC = placed("Doc", "d", "docs");
const ALICE = placed("User", "alice", "staff");

/** Policies that count how often their conditions are asked. */
function counted(scopes: Readonly<Record<string, string>>): {
  policies: CompiledPolicy[];
  asked: string[];
} {
  const asked: string[] = [];
  const policies = Object.entries(scopes).map(([id, scope], order) => {
    const { value } = officialPolicyJson(`permit (${scope});`);
    assert.ok(value !== undefined, scope);
    const applies = (): boolean => asked.push(id) > 0;
    return { ...compilePolicy(value, { id, order }), applies };
  });
  return { policies, asked };
}

const SCOPES = {
  all: "principal, action, resource",
  alice: 'principal == User::"alice", action, resource',
  bob: 'principal == User::"bob", action, resource',
  staff: 'principal in Group::"staff", action, resource',
  admins: 'principal in Group::"admins", action, resource',
  self: 'principal in User::"alice", action, resource',
  users: "principal is User, action, resource",
  robots: "principal is Robot, action, resource",
  "users in staff": 'principal is User in Group::"staff", action, resource',
  "robots in staff": 'principal is Robot in Group::"staff", action, resource',
  read: 'principal, action == Action::"read", resource',
  write: 'principal, action == Action::"write", resource',
  "read or write": 'principal, action in [Action::"read", Action::"write"], resource',
  none: "principal, action in [], resource",
  doc: 'principal, action, resource == Doc::"d"',
  other: 'principal, action, resource == Doc::"e"',
  docs: 'principal, action, resource in Group::"docs"',
  files: "principal, action, resource is File",
  "files in docs": 'principal, action, resource is File in Group::"docs"',
  "doc for bob": 'principal == User::"bob", action, resource == Doc::"d"',
};
const MATCHING = [
  "all",
  "alice",
  "staff",
  "self",
  "users",
  "users in staff",
  "read",
  "read or write",
  "doc",
  "docs",
];

for (const actions of [undefined, [READ, placed("Action", "write")]]) {
  const kind = actions === undefined ? "open" : "known";
  void test(`PolicyIndex asks exactly the policies whose scope matches, once (${kind} actions)`, () => {
    const { policies, asked } = counted(SCOPES);
    const index = new PolicyIndex(policies, actions);
    const evaluation = new Evaluation();
    const within = [ALICE.uid.key, ...ALICE.ancestors];
    const environment: Environment = {
      principal: ALICE.uid,
      action: READ.uid,
      resource: DOC.uid,
      context: EMPTY_RECORD,
      entity: () => undefined,
    };
    evaluation.run(
      index.groups(READ, DOC),
      { key: ALICE.uid.key, type: ALICE.uid.type, within },
      environment,
    );
    assert.deepEqual(idsInOrder(evaluation.permits), MATCHING);
    assert.deepEqual(asked.toSorted(), MATCHING.toSorted());
  });
}

void test("asksForPrincipalIn() knows what principal scopes name, and nothing else", () => {
  const index = new PolicyIndex(counted(SCOPES).policies);
  const asks = (name: string): boolean =>
    index.asksForPrincipalIn(new EntityUid("Group", name).key);
  assert.deepEqual(
    [asks("staff"), asks("admins"), asks("docs"), asks("x")],
    [true, true, false, false],
  );
});
