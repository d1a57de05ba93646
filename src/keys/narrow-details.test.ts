import assert from "node:assert/strict";
import { test } from "node:test";
import { askedDetails, meetDetails, withinServices } from "./narrow-details.ts";

const NAMES = {
  service: (name: string) => name === "billing",
  route: (name: string) => name === "invoices",
  method: (name: string) => name === "GET",
  operation: (id: string) => id === "billing:getInvoice",
};

test("askedDetails() refuses a name that there is not", () => {
  const of = (members: object): unknown =>
    askedDetails(JSON.stringify([{ type: "sallyport", ...members }]), NAMES);
  assert.deepEqual(of({ services: ["billing"], routes: ["invoices"], methods: ["GET"] }), [
    { type: "sallyport", services: ["billing"], routes: ["invoices"], methods: ["GET"] },
  ]);
  assert.deepEqual(of({ services: ["orders"] }), {
    fault: "services has a name that no service has",
  });
  assert.deepEqual(of({ routes: ["invoices", "x"] }), {
    fault: "routes has a name that no route has",
  });
  assert.deepEqual(of({ methods: ["BREW"] }), { fault: "methods has a name that no method has" });
  assert.deepEqual(of({ operations: ["billing:x"] }), {
    fault: "operations has a name that no operation has",
  });
  assert.deepEqual(of({ odd: 1 }), {
    fault: "an entry has a member that is none of type, services, routes, methods, operations",
  });
});

test("meetDetails() keeps an entry once when one says all that another does", () => {
  const one = { type: "sallyport", methods: ["GET"] } as const;
  const two = { type: "sallyport", methods: ["GET", "POST"] } as const;
  assert.deepEqual(meetDetails([one, two], [{ type: "sallyport" }]), [two]);
  assert.deepEqual(meetDetails(undefined, [one]), [one]);
  assert.equal(meetDetails(undefined, undefined), undefined);
});

test("withinServices() leaves out what leads elsewhere", () => {
  const details = [
    { type: "sallyport", services: ["a", "b"] },
    { type: "sallyport", services: ["c"], methods: ["GET"] },
  ] as const;
  assert.deepEqual(withinServices(details, ["b"]), [{ type: "sallyport", services: ["b"] }]);
});
