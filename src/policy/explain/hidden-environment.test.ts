import assert from "node:assert/strict";
import { test } from "node:test";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import type { Principal } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { compilePolicy } from "../cedar/compile-policy.ts";
import { NO_FILE_ENTITIES } from "../decide/file-entities.ts";
import { createGatePolicies } from "../decide/gate-policies.ts";
import { createPlaces, splitStatements } from "../load/policy-text.ts";
import { clausedPolicy } from "./clauses.ts";
import { explainPolicies, type PolicyExplanation } from "./explanation.ts";
import { hideParts } from "./hidden-environment.ts";
import { decidePartly } from "./partial.ts";
import { recordedRequest, type RecordedQuestion } from "./recorded-request.ts";
import { unknownContext } from "./unknown-context.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [],
  services: [
    {
      name: "billing",
      attributes: {},
      operations: [
        {
          id: "getInvoice",
          method: "GET",
          path: "/invoices/{id}",
          groups: [],
          parameters: [
            { name: "id", type: "long", required: true, segment: 1 },
            { name: "dryRun", type: "bool", required: false },
          ],
        },
      ],
    },
  ],
  routes: [{ name: "billing", service: "billing", attributes: {}, params: [] }],
};

const ADA: Principal = {
  kind: "user",
  authenticator: "corp",
  subject: "ada",
  roles: ["Reader"],
  groups: [],
  attributes: { level: 3 },
};

const RECORD: RecordedQuestion = {
  action: "billing:getInvoice",
  authn: { kind: "jwt", authenticator: "corp", ageSeconds: 0, amr: [], bound: false },
  method: "GET",
  params: {},
  path: "/api/invoices/17",
  servicePath: "/invoices/17",
  peerAddress: "192.0.2.1",
  principal: ADA,
  reads: [],
  route: "billing",
  scopes: [],
  time: "2026-11-24T04:05:06.123Z",
  truncated: {},
};

async function made(text: string) {
  const [statement] = splitStatements(text);
  assert.ok(statement !== undefined);
  const json = policyJsonOf(text);
  const placed = { id: "p", order: 0, json, statement, placeOf: createPlaces(text) };
  const policy = { ...clausedPolicy(placed), file: "p.cedar", line: 1, column: 1 };
  const gate = await createGatePolicies(
    {
      policies: [compilePolicy(json, { id: "p", order: 0 })],
      files: NO_FILE_ENTITIES,
      vocabulary: VOCABULARY,
      hash: "sha256-x",
    },
    () => undefined,
  );
  return { policies: [policy], gate };
}

async function explained(
  condition: string,
  changes: Partial<RecordedQuestion> = {},
): Promise<PolicyExplanation> {
  const set = await made(`permit (principal, action, resource) when { ${condition} };`);
  const asked = recordedRequest({ ...RECORD, ...changes });
  assert.ok(asked !== undefined);
  return explainPolicies(set, { request: asked, hidden: asked.hidden });
}

test("hideParts() knows parameters of an operation as far as path and query are known", async () => {
  const dryRun = "context.parameters has dryRun && context.parameters.dryRun";
  const segment = await explained("context.parameters.id == 17", { query: "dryRun=*" });
  assert.equal(segment.decision, "permit");
  assert.equal((await explained(dryRun, { query: "dryRun=*" })).decision, "depends");
  assert.equal((await explained(dryRun, { query: "dryRun=true" })).decision, "permit");
  assert.equal((await explained(dryRun)).decision, "deny");
  const cut = { truncated: { servicePath: { bytes: 9000, hash: "x" } } };
  const open = await explained("context.parameters.id == 17", cut);
  assert.equal(open.decision, "depends");
  assert.ok(open.policies[0]?.clauses.at(-1)?.on?.includes("context.parameters.id"));
});

test("explainPolicies() says of a clause behind a failed guard that it is not reached", async () => {
  const { nearest } = await explained(
    'context has actor && context.actor.subject == "x" && principal.level == 3',
  );
  assert.deepEqual(
    nearest[0]?.clauses.slice(3).map(({ holds }) => holds),
    ["false", "not-reached", "true"],
  );
});

test("hideParts() of anybody is certain only of what all of them are", async () => {
  const anybody = { name: "somebody", open: false };
  const asked = recordedRequest({ ...RECORD, action: "GET" });
  assert.ok(asked !== undefined);
  for (const [text, decision] of [
    ["permit (principal, action, resource);", "permit"],
    ['permit (principal in Sallyport::Role::"Reader", action, resource);', "permit"],
    ['permit (principal in Sallyport::Role::"Other", action, resource);', "deny"],
    ['permit (principal == Sallyport::User::"corp/ada", action, resource);', "depends"],
    ["permit (principal is Sallyport::Workload, action, resource);", "deny"],
    ["permit (principal, action, resource) when { principal.level > 2 };", "permit"],
    ['permit (principal, action, resource) when { context.host == "x" };', "depends"],
    ['permit (principal, action, resource) when { context.host == "x" && false };', "deny"],
    ['forbid (principal, action, resource) when { context.host == "x" };', "deny"],
  ] as const) {
    const { policies, gate } = await made(text);
    const hidden = { ...unknownContext(), anybody };
    const environment = hideParts(gate.environmentOf(asked), hidden);
    const answer = decidePartly(policies, environment, { validated: true });
    assert.equal(answer.decision, decision, text);
  }
});
