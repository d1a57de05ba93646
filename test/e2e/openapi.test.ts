/** A service with an OpenAPI document through the whole proxy: which operation a request is, and what is refused. */
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { createWriter, WireType } from "../../src/wire/protobuf.ts";
import { openCaller, PROTOCOLS } from "./protocols.ts";
import type { AuditRecord } from "./judge.ts";
import { startStage } from "./stage.ts";
import { readResponses, valuesOf, type StrictResponse } from "./strict-http1.ts";

const DOCUMENT = `openapi: 3.0.3
info: { title: Billing, version: "1" }
servers: [{ url: https://billing.example/v1 }]
paths:
  /invoices/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer } }
    get:
      operationId: getInvoice
      tags: [invoices]
      parameters:
        - { name: page, in: query, schema: { type: integer } }
      responses: { "200": { description: fine } }
    delete:
      operationId: deleteInvoice
      x-sallyport-group: dangerous
      responses: { "204": { description: gone } }
  /invoices/latest:
    get:
      operationId: latestInvoice
      responses: { "200": { description: fine } }
`;

for (const over of PROTOCOLS) {
  const stage = await startStage({
    services: `  billing: { endpoints: ["http://127.0.0.1:1"], openapi: billing.yaml }`,
    routes: `
  - { name: billing, path: "/billing/*", service: billing, authenticate: [anonymous], rewrite: { prefix: /v1 } }`,
    catchAll: false,
    policies: `
@id("first-pages")
forbid (principal, action == Sallyport::Action::"billing:getInvoice", resource)
when { context.parameters has page && context.parameters.page > 10 };
@id("dangerous")
forbid (principal, action in Sallyport::Action::"billing/dangerous", resource);
@id("hidden")
forbid (principal, action == Sallyport::Action::"billing:getInvoice", resource)
when { context.parameters.id == 13 };
`,
    prepare: (folder) => {
      writeFileSync(join(folder, "billing.yaml"), DOCUMENT);
    },
  });
  after(() => stage.close());

  async function ask(target: string, method = "GET"): Promise<StrictResponse> {
    const connection = await openCaller(stage.proxy, { over });
    const head = [`${method} ${target} HTTP/1.1`, "Host: api.example", "Connection: close", "", ""];
    connection.write(head.join("\r\n"));
    await connection.until(() => connection.closed);
    const [answer] = readResponses(connection.text, [method], true).messages;
    assert.ok(answer !== undefined, connection.text);
    return answer;
  }

  function reasonOf(answer: StrictResponse): string {
    return (JSON.parse(answer.body) as { reason: string }).reason;
  }

  /** Of the decision that the answer names. */
  function recordOf(answer: StrictResponse): Promise<AuditRecord> {
    const [id] = valuesOf(answer, "sallyport-decision");
    return stage.found((one) => one["type"] === "decision" && one["decisionId"] === id);
  }

  test(`${over}: an operation is found after the rewrite, decided about, and recorded`, async () => {
    // Permitted: it is only the service that is not there.
    const answer = await ask("/billing/invoices/7?page=2");
    assert.equal(reasonOf(answer), "upstream-unreachable");
    const record = await recordOf(answer);
    assert.equal(record["action"], "billing:getInvoice");
    assert.equal(record["servicePath"], "/v1/invoices/7");
    assert.equal(record["path"], "/billing/invoices/7");
    const [read, ...more] = record["reads"] as { kind: string; name: string }[];
    assert.deepEqual([read?.kind, read?.name, more.length], ["query", "page", 0]);
  });

  test(`${over}: policies decide by operation, group and typed parameters`, async () => {
    assert.equal(reasonOf(await ask("/billing/invoices/7?page=11")), "forbidden");
    assert.equal(reasonOf(await ask("/billing/invoices/13")), "forbidden");
    const dangerous = await ask("/billing/invoices/7", "DELETE");
    assert.equal(reasonOf(dangerous), "forbidden");
    assert.deepEqual((await recordOf(dangerous))["determining"], ["dangerous"]);
    const latest = await ask("/billing/invoices/latest");
    assert.equal(reasonOf(latest), "upstream-unreachable");
    assert.equal((await recordOf(latest))["action"], "billing:latestInvoice");
  });

  test(`${over}: a parameter that can be read in two ways denies where a forbid reads it`, async () => {
    for (const query of ["page=1&page=11", "page=1e1", "page=%2011"]) {
      assert.equal(reasonOf(await ask(`/billing/invoices/7?${query}`)), "policy-error", query);
    }
    assert.equal(reasonOf(await ask("/billing/invoices/0x0d")), "policy-error");
  });

  test(`${over}: what the document does not describe is refused before anybody is asked`, async () => {
    const unknown = await ask("/billing/credits");
    assert.equal(unknown.status, 404);
    assert.equal(reasonOf(unknown), "unknown-operation");
    assert.equal((await recordOf(unknown))["reason"], "unknown-operation");
    assert.equal(reasonOf(await ask("/billing/v1/invoices/7")), "unknown-operation");
    assert.equal(reasonOf(await ask("/billing/invoices/7/")), "unknown-operation");
    const method = await ask("/billing/invoices/7", "PUT");
    assert.equal(method.status, 405);
    assert.equal(reasonOf(method), "method-not-allowed");
    assert.deepEqual(valuesOf(method, "allow"), ["GET, DELETE"]);
    assert.equal((await ask("/billing/invoices/7", "HEAD")).status, 405);
  });
}

const CHECKED = `openapi: 3.1.0
info: { title: Orders, version: "1" }
paths:
  /orders:
    post:
      operationId: createOrder
      parameters:
        - { name: dry, in: query, schema: { type: boolean } }
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [amount]
              properties: { amount: { type: integer, maximum: 100 } }
      responses: { "200": { description: fine } }
    get:
      operationId: listOrders
      parameters:
        - { name: page, in: query, schema: { type: integer } }
      responses: { "200": { description: fine } }
`;

for (const over of PROTOCOLS) {
  const stage = await startStage({
    services: `  orders: { endpoints: ["http://127.0.0.1:1"], openapi: orders.yaml, openapiValidation: full }`,
    routes: `
  - { name: orders, path: "/orders", service: orders, authenticate: [anonymous], limits: { bodyBytes: 64B } }
  - { name: known, path: "/known/*", service: orders, authenticate: [test], rewrite: { prefix: / }, openapiValidation: parameters }
  - { name: free, path: "/free/*", service: orders, authenticate: [anonymous], rewrite: { prefix: / }, openapiValidation: none }`,
    catchAll: false,
    prepare: (folder) => {
      writeFileSync(join(folder, "orders.yaml"), CHECKED);
    },
  });
  after(() => stage.close());

  interface Answered {
    readonly status: number;
    readonly reason: string;
    readonly invalid?: object;
  }

  async function ask(
    request: string,
    fields: readonly string[] = [],
    body = "",
  ): Promise<Answered> {
    const connection = await openCaller(stage.proxy, { over });
    const length = body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    const head = [`${request} HTTP/1.1`, "Host: api.example", "Connection: close", ...fields];
    connection.write([...head, ...length, "", body].join("\r\n"));
    await connection.until(() => connection.closed);
    const [answer] = readResponses(connection.text, [request.split(" ")[0] ?? ""], true).messages;
    assert.ok(answer !== undefined, connection.text);
    return JSON.parse(answer.body) as Answered;
  }

  const JSON_TYPE = "Content-Type: application/json";

  test(`${over}: a body that fits goes on, one that does not is named by place and rule`, async () => {
    const good = await ask("POST /orders", [JSON_TYPE], '{"amount":7}');
    assert.equal(good.reason, "upstream-unreachable");
    const bad = await ask("POST /orders", [JSON_TYPE], '{"amount":7654321}');
    assert.equal(bad.status, 400);
    assert.equal(bad.reason, "invalid-body");
    assert.deepEqual(bad.invalid, { in: "body", pointer: "/amount", rule: "maximum" });
    assert.equal(stage.auditText().includes("7654321"), false);
    const twice = await ask("POST /orders", [JSON_TYPE], '{"amount":7,"amount":999}');
    assert.deepEqual(twice.invalid, { in: "body", pointer: "", rule: "json" });
    const none = await ask("POST /orders", [JSON_TYPE]);
    assert.deepEqual(none.invalid, { in: "body", pointer: "", rule: "required" });
  });

  test(`${over}: bodies of other types, with codings, and where none is described are 415; large ones 413`, async () => {
    for (const fields of [
      ["Content-Type: text/plain"],
      [],
      [JSON_TYPE, "Content-Encoding: gzip"],
    ]) {
      const refused = await ask("POST /orders", fields, "x");
      assert.equal(refused.status, 415, fields.join());
      assert.equal(refused.reason, "unsupported-body");
    }
    assert.equal((await ask("GET /orders", [JSON_TYPE], "{}")).reason, "unsupported-body");
    const large = await ask("POST /orders", [JSON_TYPE], `{"amount":1,"x":"${"x".repeat(80)}"}`);
    assert.equal(large.reason, "body-too-large");
  });

  test(`${over}: parameters are checked where the route says so, for callers that are known`, async () => {
    const refused = await ask("GET /orders?page=x");
    assert.equal(refused.reason, "invalid-parameter");
    assert.deepEqual(refused.invalid, { in: "query", name: "page", rule: "type" });
    assert.equal((await ask("GET /orders?page=1&page=2")).reason, "invalid-parameter");
    assert.equal((await ask("GET /orders?page=1")).reason, "upstream-unreachable");
    assert.equal((await ask("GET /free/orders?page=x")).reason, "upstream-unreachable");
    assert.equal((await ask("GET /known/orders?page=x")).reason, "missing-credential");
    const token = stage.issuer.token({ roles: ["Admin"] });
    const known = [`Authorization: Bearer ${token}`];
    assert.equal((await ask("GET /known/orders?page=x", known)).reason, "invalid-parameter");
    // Its body is not looked at.
    const body = await ask("POST /known/orders", [...known, JSON_TYPE], "{}");
    assert.equal(body.reason, "no-permit");
  });
}

test("methods of a descriptor set are operations, and others are UNIMPLEMENTED", async () => {
  const stage = await startStage({
    services: `  shop: { endpoints: ["h2c://127.0.0.1:1"], descriptors: shop.binpb }`,
    routes: `
  - { name: shop, path: "/*", service: shop, authenticate: [anonymous] }`,
    catchAll: false,
    policies: `
@id("no-refunds")
forbid (principal, action == Sallyport::Action::"shop:shop.Orders/Refund", resource);
@id("no-stock")
forbid (principal, action in Sallyport::Action::"shop/shop.Stock", resource);
`,
    prepare: (folder) => {
      writeFileSync(join(folder, "shop.binpb"), descriptorSet());
    },
  });
  after(() => stage.close());
  const call = async (method: string): Promise<StrictResponse> => {
    const connection = await openCaller(stage.proxy, { over: "h2" });
    const head = [`POST ${method} HTTP/1.1`, "Host: api.example", "Content-Type: application/grpc"];
    connection.write([...head, "Content-Length: 5", "", "\0\0\0\0\0"].join("\r\n"));
    await connection.until(() => connection.text.includes("grpc-status"));
    connection.destroy();
    const [answer] = readResponses(connection.text, ["POST"], true).messages;
    return answer ?? assert.fail(connection.text);
  };
  for (const [method, status, reason] of [
    ["/shop.Orders/Get", "14", "upstream-unreachable"],
    ["/shop.Orders/Refund", "7", "forbidden"],
    ["/shop.Stock/Take", "7", "forbidden"],
    ["/shop.Orders/Remove", "12", "unknown-operation"],
    ["/shop.orders/Get", "12", "unknown-operation"],
  ] as const) {
    const answer = await call(method);
    assert.deepEqual(valuesOf(answer, "grpc-status"), [status], method);
    assert.match(valuesOf(answer, "grpc-message")[0] ?? "", new RegExp(reason), method);
  }
  const asked = await stage.found((one) => one["path"] === "/shop.Stock/Take");
  assert.equal(asked["action"], "shop:shop.Stock/Take");
});

/** `package shop; service Orders { Get, Refund } service Stock { Take }` as a FileDescriptorSet. */
function descriptorSet(): Uint8Array {
  const writer = createWriter();
  const text = (field: number, value: string) =>
    writer.tag(field, WireType.LengthDelimited).string(value);
  const within = (field: number, write: () => void): void => {
    writer.tag(field, WireType.LengthDelimited).fork();
    write();
    writer.join();
  };
  const service = (name: string, methods: readonly string[]): void => {
    within(6, () => {
      text(1, name);
      for (const method of methods) within(2, () => text(1, method));
    });
  };
  within(1, () => {
    text(1, "shop.proto");
    service("Orders", ["Get", "Refund"]);
    text(2, "shop");
    service("Stock", ["Take"]);
  });
  return writer.finish();
}
