import assert from "node:assert/strict";
import { test } from "node:test";
import { findMutants } from "./mutate.ts";

const SOURCE = `/** if (this) is prose. */
import { join } from "node:path";

export function check(text: string, n: number): string | undefined {
  // if (that) is too
  if (text === "if (x)" || /a && b/.test(text)) return "bad";
  return n < 3 ? "few" : undefined;
}
export const bare = (type: string) => (type.replace(/^application\\//, "") === "" ? 1 : 0);
`;

test("findMutants() changes conditions and operators of code, and nothing in prose or strings", () => {
  assert.deepEqual(
    findMutants(SOURCE).map(({ line, change }) => `${line}: ${change}`),
    [
      '6: if (text === "if (x)" || /a && b/.test(text)) never',
      '6: if (text === "if (x)" || /a && b/.test(text)) always',
      "6: === becomes !==",
      "6: || becomes &&",
      "7: < becomes <=",
      "9: === becomes !==",
    ],
  );
});

test("findMutants() changes one place each, and leaves the rest as it is", () => {
  const [never, , , , boundary] = findMutants(SOURCE);
  assert.ok(
    never?.text.includes('if (false && (text === "if (x)" || /a && b/.test(text))) return'),
  );
  assert.ok(boundary?.text.includes("return n <= 3 ?"));
  assert.equal(boundary?.text.replace("n <= 3", "n < 3"), SOURCE);
});
