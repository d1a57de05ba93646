import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRoutes } from "./policy-tests.ts";

type Tested = Parameters<typeof describeRoutes>[0];

function tested(types: Readonly<Record<string, string>>): Tested {
  const authenticators = Object.fromEntries(
    Object.entries(types).map(([name, type]) => [name, { type }]),
  );
  const route = { path: "/x", pathParameters: "refuse", service: "s" };
  const routes = [
    { ...route, name: "keyed", authenticate: ["keys"] },
    { ...route, name: "plain", authenticate: ["corp", "anonymous"] },
  ];
  const admin = { authenticate: ["keys"] };
  const policies = { insecureIgnoreFailingTests: false };
  return { authenticators, routes, admin, policies } as unknown as Tested;
}

test("describeRoutes() lets whoever is known in where keys are taken, since a key stands for any of them", () => {
  const { routes, admin } = describeRoutes(
    tested({ corp: "jwt", mesh: "mtls", keys: "sallyport" }),
  );
  assert.deepEqual(
    routes.map(({ authenticate }) => authenticate),
    [
      ["keys", "corp", "mesh"],
      ["corp", "anonymous"],
    ],
  );
  assert.deepEqual(admin, ["keys", "corp", "mesh"]);
  const other = describeRoutes(tested({ corp: "jwt", mesh: "mtls", keys: "api-key" }));
  assert.deepEqual(other.routes[0]?.authenticate, ["keys"]);
});
