import assert from "node:assert/strict";
import { test } from "node:test";
import { testWorld } from "./policy-tests.ts";

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
