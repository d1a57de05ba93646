/** For tests: one policy's text as the compiler takes it, integers beyond 2^53 kept. */
import assert from "node:assert/strict";
import { restoreIntegers, withPlaceholders } from "../src/policy/load/big-integers.ts";
import { officialPolicyJson } from "../src/policy/official/official-engine.ts";
import type { PolicyJson } from "../src/policy/cedar/policy-json.ts";
import { splitStatements } from "../src/policy/load/policy-text.ts";

export function policyJsonOf(text: string, parse = officialPolicyJson): PolicyJson {
  const [statement, ...others] = splitStatements(text);
  assert.ok(statement !== undefined && others.length === 0, `one policy: ${text}`);
  const { text: safe, placeholders } = withPlaceholders(statement);
  const { value, errors } = parse(safe);
  assert.ok(value !== undefined, `${text} ${JSON.stringify(errors)}`);
  restoreIntegers(value, placeholders);
  return value;
}
