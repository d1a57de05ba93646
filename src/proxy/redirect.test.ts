import assert from "node:assert/strict";
import { test } from "node:test";
import type { Permit } from "../gate/decision.ts";
import { redirectSchema } from "../gate/rewrite-options.ts";
import { createRedirect } from "./redirect.ts";

/** To where a request to `listener` over plain HTTP is sent. */
function sent(listener: string, written: Record<string, string>): string | undefined {
  const schemes = new Map([["public", "https"]]);
  const route = { path: "/a", pathParameters: false, schemes };
  const request = { listener, scheme: "http", host: "x.test", path: "/a", query: undefined };
  return createRedirect(redirectSchema.parse(written), route).location({
    request,
  } as unknown as Permit);
}

test("location() without a scheme has that of the listener's publicOrigin, else the connection's", () => {
  assert.equal(sent("public", { host: "new.test" }), "https://new.test/a");
  assert.equal(sent("plain", { host: "new.test" }), "http://new.test/a");
});

test("location() has the scheme and host that are written, or neither", () => {
  assert.equal(sent("public", { to: "http://new.test" }), "http://new.test/a");
  assert.equal(sent("plain", { scheme: "https" }), "https://x.test/a");
  assert.equal(sent("public", { path: "/b" }), "/b");
});
