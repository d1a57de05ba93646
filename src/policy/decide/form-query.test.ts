import { test } from "node:test";
import assert from "node:assert/strict";
import { BAD_QUERY } from "../cedar/evaluation-error.ts";
import { parseFormQuery } from "./form-query.ts";

void test("parseFormQuery() decodes names and values and keeps repeated ones in order", () => {
  assert.deepEqual(
    [...parseFormQuery("a=1&b=x+y%2B&a=2&&c&d=e=f&%61=3&g=%E2%82%AC&=v&h=1;2")],
    [
      ["a", ["1", "2", "3"]],
      ["b", ["x y+"]],
      ["c", [""]],
      ["d", ["e=f"]],
      ["g", ["€"]],
      ["", ["v"]],
      ["h", ["1;2"]],
    ],
  );
});

void test("parseFormQuery() throws BAD_QUERY for stray percent signs and what is not UTF-8", () => {
  for (const query of ["%", "a=%4", "a=%zz", "%ff=1", "a=%C3%28", "a=%ED%A0%80", "a=%C0%AF"]) {
    assert.throws(() => parseFormQuery(query), BAD_QUERY, query);
  }
});
