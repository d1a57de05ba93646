/**
 * The official engine as the oracle: on generated policies, entities and requests ours gives the same
 * decision, the same determining and the same erroring policies. SALLYPORT_ORACLE_RUNS sets how many
 * cases there are (300 by default; each with up to three requests).
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  extensionText,
  generatedCase,
  quoted,
  type GeneratedCase,
} from "../../../test/cedar-arbitraries.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { rawInteger } from "../../../test/exact-json.ts";
import { createAuthorizer, type AuthorizationAnswer } from "./authorizer.ts";
import { parseDatetime } from "./datetime.ts";
import { parseDuration } from "./duration.ts";
import {
  officialIsAuthorized,
  officialPolicyJson,
  officialTemplateJson,
  type OfficialRequest,
} from "../official/official-engine.ts";
import { uidFromJson, type PolicyJson, type SlotName } from "./policy-json.ts";

const runs = Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "300");

void test("isAuthorized() answers as the official engine on generated cases", () => {
  const seen = { allow: 0, deny: 0, erroring: 0, determining: 0 };
  fc.assert(
    fc.property(generatedCase, (generated) => {
      const ours = authorizerOf(generated);
      const { policies, templates, links } = generated;
      for (const request of generated.requests) {
        const official = officialIsAuthorized(
          exact({ ...request, entities: generated.entities }) as OfficialRequest,
          { policies, templates, links },
        );
        assert.ok(official.value !== undefined, JSON.stringify(official.errors));
        const answer = ours.isAuthorized({ ...request, entities: generated.entities });
        assert.deepEqual(sorted(answer), sorted(official.value));
        seen[answer.decision] += 1;
        if (answer.erroring.length > 0) seen.erroring += 1;
        if (answer.determining.length > 0) seen.determining += 1;
      }
    }),
    { numRuns: runs },
  );
  // A generator that only ever denies would prove nothing.
  for (const [what, count] of Object.entries(seen)) {
    assert.ok(count > runs / 300, `only ${String(count)} of ${String(runs)} cases: ${what}`);
  }
});

/** How two values of a type compare, and what one is worth. */
const RELATIONS: Readonly<Record<string, (left: string, right: string) => string>> = {
  ip: (left, right) => `${left}.isInRange(${right})`,
  decimal: (left, right) => `${left}.lessThanOrEqual(${right})`,
  datetime: (left, right) => `${left} <= ${right}`,
  duration: (left, right) => `${left} <= ${right}`,
};

for (const [name, texts] of Object.entries(extensionText)) {
  void test(`${name}() parses and compares as in the official engine`, () => {
    const pair = fc.oneof(
      fc.tuple(texts, texts),
      texts.map((text) => [text, text] as const),
    );
    const batch = fc.array(pair, { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(batch, (pairs) => {
        const policies = Object.fromEntries(
          pairs.flatMap(([a, b], index) => {
            const [left, right] = [`${name}(${quoted(a)})`, `${name}(${quoted(b)})`];
            const related = RELATIONS[name]?.(left, right) ?? "";
            return [
              [`relation${String(index)}`, policyThat(related)],
              [`equal${String(index)}`, policyThat(`${left} == ${right}`)],
              [`worth${String(index)}`, policyThat(worth(name, a, left))],
            ];
          }),
        );
        const official = officialIsAuthorized({ ...QUESTION, entities: [] }, { policies });
        assert.ok(official.value !== undefined, JSON.stringify(official.errors));
        const ours = authorizerOf({ ...EMPTY, policies });
        const answer = ours.isAuthorized({ ...QUESTION, entities: [] });
        assert.deepEqual(sorted(answer), sorted(official.value));
      }),
      { numRuns: Math.ceil(runs / 10) },
    );
  });
}

function policyThat(condition: string): string {
  return `permit (principal, action, resource) when { ${condition} };`;
}

/** What the text is worth by our own reckoning, for the official engine to confirm. */
function worth(name: string, text: string, value: string): string {
  try {
    if (name === "datetime") {
      const since = `${value}.durationSince(datetime("1970-01-01"))`;
      return `${since}.toMilliseconds() == ${String(parseDatetime(text).ms)}`;
    }
    if (name === "duration")
      return `${value}.toMilliseconds() == ${String(parseDuration(text).ms)}`;
  } catch {
    // It does not parse; that the official engine agrees is asked by the other policies.
  }
  return `${value} == ${value}`;
}

const EMPTY = { policies: {}, templates: {}, links: [], entities: [], requests: [] };
const QUESTION = {
  principal: { type: "User", id: "x" },
  action: { type: "Action", id: "read" },
  resource: { type: "User", id: "x" },
  context: {},
};

function authorizerOf({
  policies,
  templates,
  links,
}: GeneratedCase): ReturnType<typeof createAuthorizer> {
  return createAuthorizer({
    policies: jsonOf(policies, officialPolicyJson),
    templates: jsonOf(templates, officialTemplateJson),
    links: links.map(({ templateId, newId, values }) => ({
      template: templateId,
      id: newId,
      values: new Map(
        Object.entries(values).map(([slot, uid]) => [slot as SlotName, uidFromJson(uid)]),
      ),
    })),
  });
}

function jsonOf(
  texts: Readonly<Record<string, string>>,
  parse: typeof officialPolicyJson,
): Map<string, PolicyJson> {
  return new Map(Object.entries(texts).map(([id, text]) => [id, policyJsonOf(text, parse)]));
}

/** For the official engine: bigint as raw JSON. */
function exact(json: unknown): unknown {
  if (typeof json === "bigint") return rawInteger(String(json));
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(exact);
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => [name, exact(value)]),
  ) as unknown;
}

function sorted(answer: AuthorizationAnswer): AuthorizationAnswer {
  return {
    decision: answer.decision,
    determining: answer.determining.toSorted(),
    erroring: answer.erroring.toSorted(),
  };
}
