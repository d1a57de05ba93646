import assert from "node:assert/strict";
import { test } from "node:test";
import type { RewriteOptions } from "../gate/rewrite-options.ts";
import { createPathRewrite } from "./rewrite.ts";

function rewrite(route: string, options: RewriteOptions, path: string, pathParameters = false) {
  return createPathRewrite(options, route, pathParameters)?.(path);
}

test("createPathRewrite() puts the prefix in the place of the route's segments", () => {
  assert.equal(rewrite("/billing/*", { prefix: "/" }, "/billing/records/1"), "/records/1");
  assert.equal(rewrite("/billing/*", { prefix: "/" }, "/billing/"), "/");
  assert.equal(rewrite("/t/{x}/*", { prefix: "/api" }, "/t/acme/v1/x"), "/api/v1/x");
  assert.equal(rewrite("/*", { prefix: "/v2/" }, "/a/b"), "/v2/a/b");
  assert.equal(rewrite("/billing/*", { prefix: "/" }, "/billing/a%2Ab"), "/a%2Ab");
});

test("createPathRewrite() gives nothing when the result would be ambiguous or the path is too short", () => {
  assert.equal(rewrite("/billing/*", { prefix: "/" }, "/billing"), undefined);
  assert.equal(rewrite("/billing/*", { prefix: "/" }, "/billing/a;b"), undefined);
  assert.equal(rewrite("/a/{x}/*", { pattern: "/{x}" }, "/a"), undefined);
  assert.equal(rewrite("/a/{x}", { pattern: "/{x}" }, "/a/b;c"), undefined);
  assert.equal(rewrite("/a/{x}", { pattern: "/{x}" }, "/a/b;c", true), "/b;c");
});

test("createPathRewrite() builds a pattern of the path's segments as they are encoded", () => {
  const options = { pattern: "/v2/{id}/of/{tenant}/*" };
  assert.equal(
    rewrite("/{tenant}/items/{id}/*", options, "/acme%20inc/items/7%2A/a/b%3F"),
    "/v2/7%2A/of/acme%20inc/a/b%3F",
  );
  assert.equal(rewrite("/a/*", { pattern: "/x/*" }, "/a/"), "/x/");
  assert.equal(rewrite("/a/*", { pattern: "/x" }, "/a/b/c"), "/x");
  assert.equal(rewrite("/{a}/{b}", { pattern: "/{b}/{b}" }, "/1/2"), "/2/2");
});

test("createPathRewrite() leaves the path alone when the route declares no rewrite", () => {
  assert.equal(createPathRewrite(undefined, "/x", false), undefined);
  assert.equal(createPathRewrite({ host: "a.example" }, "/x", false), undefined);
});
