import assert from "node:assert/strict";
import { test } from "node:test";
import { createQueryMask, SECRET_NAMES } from "./query-mask.ts";

const masked = createQueryMask({ values: "masked", keep: [] });
const kept = createQueryMask({ values: "kept", keep: [] });
const some = createQueryMask({ values: "masked", keep: ["page", "a b"] });

test("createQueryMask() keeps names and no value when values are masked", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["id=7&x=1", "id=*&x=*"],
    ["id=", "id=*"],
    ["=secret", "=*"],
    ["a=b=c", "a=*"],
    ["&&a=1&", "&&a=*&"],
  ];
  for (const [query, text] of cases) assert.equal(masked(query), text, query);
});

test("createQueryMask() writes nothing of a piece that has no name, or too long a one", () => {
  for (const mask of [masked, kept, some]) {
    assert.equal(mask("eyJhbGciOiJub25lIn0.canary"), "*");
    assert.equal(mask(`${"n".repeat(65)}=1&page`), "*&*");
  }
});

test("createQueryMask() keeps the values that are named, however the name is encoded", () => {
  assert.equal(some("page=2&a+b=1&a%20b=2&p%61ge=3&x=4"), "page=2&a+b=1&a%20b=2&p%61ge=3&x=*");
  assert.equal(some("PAGE=2&%zz=1"), "PAGE=*&%zz=*");
});

test("createQueryMask() never keeps a value under a name that usually holds a secret", () => {
  const all = createQueryMask({ values: "kept", keep: [...SECRET_NAMES] });
  for (const name of SECRET_NAMES) {
    const query = `${name.toUpperCase()}=canary&a=1&${name}=canary&%${hex(name)}${name.slice(1)}=canary`;
    assert.doesNotMatch(all(query), /canary/, name);
    assert.match(all(query), /a=1/);
  }
  assert.equal(all("next=eyJhbGciOi.x.y&n=eye"), "next=*&n=eye");
});

function hex(name: string): string {
  return name.charCodeAt(0).toString(16);
}
