import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRoutes, testWorld } from "./policy-tests.ts";

const world = testWorld(
  {
    authenticators: { corp: "jwt" },
    admin: undefined,
    routes: [
      {
        name: "billing",
        host: undefined,
        path: "/billing/*",
        methods: undefined,
        authenticate: ["corp"],
        pathParameters: false,
        service: "billing",
        rewrite: { prefix: "/" },
      },
      {
        name: "plain",
        host: undefined,
        path: "/plain/{id}",
        methods: ["GET"],
        authenticate: ["corp"],
        pathParameters: false,
        service: "plain",
      },
    ],
  },
  {
    authenticators: [],
    routes: [],
    services: [
      {
        name: "billing",
        attributes: {},
        operations: [
          { id: "getInvoice", method: "GET", path: "/invoices/{id}", groups: [], parameters: [] },
        ],
      },
      { name: "plain", attributes: {} },
    ],
  },
);

void test("find() gives the operation of a described service, by the path that the service will see", () => {
  const { routing } = world;
  assert.deepEqual(routing.find({ host: "a", method: "GET", path: "/billing/invoices/7" }), {
    route: "billing",
    params: Object.create(null) as object,
    authenticate: ["corp"],
    action: "billing:getInvoice",
    servicePath: "/invoices/7",
  });
  assert.deepEqual(routing.find({ host: "a", method: "POST", path: "/billing/invoices/7" }), {
    fault: "method-not-allowed",
  });
  assert.deepEqual(routing.find({ host: "a", method: "GET", path: "/billing/other" }), {
    fault: "unknown-operation",
  });
});

void test("find() gives no action where the service has no description", () => {
  const { routing } = world;
  const found = routing.find({ host: "a", method: "GET", path: "/plain/a%20b" });
  assert.deepEqual(
    { ...found, params: { ...("params" in found ? found.params : {}) } },
    {
      route: "plain",
      params: { id: "a b" },
      authenticate: ["corp"],
    },
  );
  assert.deepEqual(routing.find({ host: "a", method: "PUT", path: "/plain/a" }), {
    fault: "method-not-allowed",
  });
  assert.deepEqual(routing.find({ host: "a", method: "GET", path: "/plain/a;b" }), {
    fault: "ambiguous-path",
  });
  assert.deepEqual(routing.find({ host: "a", method: "GET", path: "/else" }), {
    fault: "no-route",
  });
});

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
