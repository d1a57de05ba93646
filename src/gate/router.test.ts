import assert from "node:assert/strict";
import { test } from "node:test";
import { createRouter, findConflicts, pathParams, type RoutePattern } from "./router.ts";

const METHODS = ["GET", "POST"];

function router(
  ...routes: [name: string, path: string, host?: string | undefined, methods?: string[]][]
) {
  return createRouter(
    routes.map(([name, path, host, methods]) => ({ name, path, host, methods, value: name })),
    METHODS,
  );
}

test("find() prefers literal, then param, then rest when several shapes match", () => {
  const routes = router(
    ["rest", "/a/*"],
    ["param", "/a/{x}"],
    ["literal", "/a/b"],
    ["deep", "/a/{x}/d"],
    ["deep-literal", "/a/b/c"],
  );
  const at = (path: string): string | undefined => routes.find("h", path)?.method("GET");
  assert.equal(at("/a/b"), "literal");
  assert.equal(at("/a/z"), "param");
  assert.equal(at("/a/b/c"), "deep-literal");
  assert.equal(at("/a/b/d"), "deep", "goes back to the param when the literal has no such child");
  assert.equal(at("/a/b/x"), "rest");
  assert.equal(at("/a/"), "rest", "an empty rest is still a rest");
  assert.equal(at("/a"), undefined, "the rest pattern does not match its own folder");
  assert.equal(at("/"), undefined);
});

test("find() never lets {param} match an empty segment", () => {
  const routes = router(["param", "/a/{x}/b"]);
  assert.equal(routes.find("h", "/a//b"), undefined);
});

test("find() prefers exact host, then longest suffix, then none, and falls back when the path is not there", () => {
  const routes = router(
    ["any", "/*"],
    ["wide", "/*", "*.example.com"],
    ["narrow", "/only", "*.eu.example.com"],
    ["exact", "/only", "api.eu.example.com"],
  );
  const at = (host: string, path: string): string | undefined =>
    routes.find(host, path)?.method("GET");
  assert.equal(at("api.eu.example.com", "/only"), "exact");
  assert.equal(at("x.eu.example.com", "/only"), "narrow");
  assert.equal(at("x.eu.example.com", "/other"), "wide");
  assert.equal(at("example.com", "/only"), "any", "a suffix does not match its own apex");
  assert.equal(at("evilexample.com", "/only"), "any");
  assert.equal(at("", "/only"), "any");
});

test("find() answers with the methods of the most specific path, never with a wider route", () => {
  const routes = router(["get", "/a", undefined, ["GET"]], ["all", "/*"]);
  const match = routes.find("h", "/a");
  assert.equal(match?.method("POST"), undefined);
  assert.equal(match?.allow, "GET");
});

test("find() tells routes of one path apart by method", () => {
  const routes = router(["get", "/a", undefined, ["GET"]], ["post", "/a", undefined, ["POST"]]);
  assert.equal(routes.find("h", "/a")?.method("POST"), "post");
  assert.equal(routes.find("h", "/a")?.allow, "GET, POST");
});

test("findConflicts() names both routes when they have one host, one shape and a method in common", () => {
  const pattern = (path: string, host?: string, methods?: string[]): RoutePattern => ({
    name: "r",
    path,
    host,
    methods,
  });
  assert.deepEqual(findConflicts([pattern("/a/{x}"), pattern("/a/{y}")]), [
    { first: 0, second: 1 },
  ]);
  assert.deepEqual(findConflicts([pattern("/a"), pattern("/a", "h")]), []);
  assert.deepEqual(findConflicts([pattern("/a", "h", ["GET"]), pattern("/a", "h", ["POST"])]), []);
  assert.deepEqual(findConflicts([pattern("/a", "h", ["GET"]), pattern("/a", "h")]), [
    { first: 0, second: 1 },
  ]);
  assert.throws(() => router(["one", "/a"], ["two", "/a"]), TypeError);
});

test("pathParams() gives names with their segment's index", () => {
  assert.deepEqual(pathParams("/a/{x}/b/{y}/*"), [
    { name: "x", index: 1 },
    { name: "y", index: 3 },
  ]);
});
