import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createRouter } from "../gate/router.ts";
import type { GateRoute } from "../gate/snapshot.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { METHODS } from "../model/vocabulary.ts";
import { readReturn } from "./login-return.ts";

const people = { name: "people" } as LoginAuthenticator;

function route(name: string, pathParameters = false): GateRoute {
  return { name, pathParameters } as GateRoute;
}

const app = route("app");
const everything = route("everything");
const tokens = route("tokens");
const parameters = route("parameters", true);
const posts = route("posts");

const rules = {
  router: createRouter(
    [
      { name: "app", host: "app.example", path: "/app/*", methods: undefined, value: app },
      { name: "all", host: "all.example", path: "/*", methods: undefined, value: everything },
      { name: "tokens", host: "app.example", path: "/api/*", methods: undefined, value: tokens },
      { name: "semi", host: "app.example", path: "/semi/*", methods: undefined, value: parameters },
      { name: "posts", host: "app.example", path: "/posts/*", methods: ["POST"], value: posts },
    ],
    METHODS,
  ),
  byRoute: new Map([
    [app, [people]],
    [everything, [people]],
    [parameters, [people]],
    [posts, [people]],
  ]),
};

test("readReturn() takes paths of the host that lead to a route with a login, in their one spelling", () => {
  for (const [text, location] of [
    ["/app/x", "/app/x"],
    ["/app/x?a=1&b=%2F", "/app/x?a=1&b=%2F"],
    ["/app/./y/../x", "/app/x"],
    ["/app//x", "/app/x"],
    ["/app/%7Ex", "/app/~x"],
    ["/app/x?return=//evil.example", "/app/x?return=//evil.example"],
    ["/semi/a;b", "/semi/a;b"],
  ] as const) {
    const address = readReturn(text, "app.example", rules);
    assert.equal(address?.location, location);
    assert.deepEqual(address.logins, [people]);
  }
});

test("readReturn() refuses what leads to no login: other hosts, other methods, other ways to be known", () => {
  assert.equal(readReturn("/app/x", "other.example", rules), undefined);
  for (const text of ["/api/x", "/posts/x", "/nowhere", "/", "/app/a;b", "/app/x?a b"]) {
    assert.equal(readReturn(text, "app.example", rules), undefined, text);
  }
});

test("readReturn() never leads elsewhere, however it is written", () => {
  const part = fc.constantFrom(
    ..."/\\:@?#%.;&=\t\r\n ".split(""),
    "http:",
    "https:",
    "javascript:",
    "evil.example",
    "//",
    "/\\",
    "%2f",
    "%5c",
    "%00",
    "%0d%0a",
    "%2e%2e",
    "..",
    "a",
    "é",
    "\u2028",
  );
  const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (written) => {
      for (const begin of ["", "/", "/app/"]) {
        const location = readReturn(begin + written, "all.example", rules)?.location;
        if (location === undefined) continue;
        assert.match(location, /^\/(?![/\\])[\x21-\x7e]*$/);
        const url = new URL(location, "https://all.example/.sallyport/callback/people");
        assert.equal(url.origin, "https://all.example");
        assert.equal(url.hash, "");
      }
    }),
    { numRuns: 2000 },
  );
});
