/**
 * A route for `[0:0::1]` wants a token, a wider one lets anybody in. Requests carry that host as
 * `[::1]`, so the guarded route never matches and the wider one takes what it was to protect. A
 * configuration whose host no request can have is refused, as a path that none can have is.
 */
import test from "node:test";
import { strict as assert } from "node:assert";
import { routeSchema } from "../../src/gate/route-options.ts";

const ROUTE = { name: "a", path: "/a", service: "s", authenticate: ["corp"] };

for (const host of [
  "[0:0::1]",
  "[::0001]",
  "[127.0.0.1]",
  "127.1",
  "10.0.0.256",
  "*.0x7f",
  "a.1",
]) {
  test(`a route for ${host} is refused`, () => {
    const result = routeSchema.safeParse({ ...ROUTE, host });
    assert.equal(result.error?.issues[0]?.path.join("."), "host");
  });
}

for (const host of ["[::1]", "127.0.0.1", "*.example.com", "api.example.com", "localhost"]) {
  test(`a route for ${host} is taken`, () => {
    assert.equal(routeSchema.safeParse({ ...ROUTE, host }).success, true);
  });
}
