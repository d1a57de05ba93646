import assert from "node:assert/strict";
import { test } from "node:test";
import type { CredentialFacts } from "../model/facts.ts";
import type { BodyFault, HeldBody, RequestHead } from "../model/http.ts";
import { ManualClock } from "../platform/clock.ts";
import type { Deciding } from "./decision.ts";
import { inspect, inspectedBefore } from "./inspect.ts";
import { createInspection } from "./inspection.ts";
import { inspectSchema, inspectWords } from "./inspect-options.ts";
import type { GateDeps } from "./step.ts";

const NOW = Date.UTC(2026, 0, 2);

const OPTIONS = inspectSchema.parse({
  json: {
    amount: { at: "/amount", type: "long", record: "clear" },
    note: { at: "/note", type: "string" },
  },
  rpc: "json-rpc",
});
const MESSAGE = '{"jsonrpc":"2.0","method":"pay","amount":7}';

interface Given {
  readonly body?: string | BodyFault;
  readonly head?: Partial<RequestHead>;
  /** Whether there is a way to read it. */
  readonly readable?: boolean;
  readonly inspects?: boolean;
  readonly expiresAt?: number;
}

function ground(given: Given = {}) {
  const { body = MESSAGE, head, readable = true, inspects = true, expiresAt = 1e12 } = given;
  const clock = new ManualClock(NOW);
  const asked: number[] = [];
  const held: HeldBody | BodyFault =
    typeof body === "string" ? { bytes: Buffer.from(body), release: () => undefined } : body;
  const valid = (): boolean => true;
  const facts = { expiresAt, clockSkew: 0, acceptedAudience: [], audience: undefined, valid };
  const deciding = {
    timeMs: NOW,
    facts: facts as unknown as CredentialFacts,
    input: {
      head: { bodyKind: "chunked", contentLength: 0, fields: JSON_FIELDS, ...head },
      body: readable
        ? (maxBytes: number) => {
            asked.push(maxBytes);
            clock.advance(60_000);
            return Promise.resolve(held);
          }
        : undefined,
    },
    route: inspects ? { inspect: createInspection(OPTIONS, 1000) } : {},
  } as unknown as Deciding;
  const run = () => inspect(deciding, { clock } as unknown as GateDeps);
  return { deciding, asked, run };
}

const JSON_FIELDS = ["content-type", "application/json"];

test("inspect() reads what the route declares, up to what it takes", async () => {
  const { deciding, asked, run } = ground();
  assert.equal(await run(), undefined);
  assert.deepEqual(asked, [1000]);
  const { inspected } = deciding;
  assert.deepEqual({ ...inspected?.body }, { amount: 7 });
  assert.deepEqual([...(inspected?.clear ?? [])], ["amount"]);
  assert.equal(inspected?.rpc?.method, "pay");
});

test("inspect() leaves alone what it need not read", () => {
  const cases: Given[] = [
    { inspects: false },
    { head: { bodyKind: "none" } },
    { head: { bodyKind: "length", contentLength: 0 } },
  ];
  for (const given of cases) {
    const { asked, run, deciding } = ground(given);
    assert.equal(run(), undefined);
    assert.deepEqual([asked, deciding.inspected], [[], undefined]);
  }
});

test("inspect() takes a body that turns out to be empty for none", async () => {
  const { deciding, run } = ground({ body: "" });
  assert.equal(await run(), undefined);
  assert.deepEqual([deciding.inspected?.body, deciding.inspected?.rpc], [undefined, undefined]);
});

const REFUSED: readonly [reason: string, detail: RegExp, given: Given][] = [
  ["unsupported-body", /not JSON/, { head: { fields: [] } }],
  ["unsupported-body", /coding/, { head: { fields: [...JSON_FIELDS, "content-encoding", "br"] } }],
  ["unsupported-body", /cannot be read here/, { readable: false }],
  ["unsupported-body", /not JSON/, { head: { connectionOptions: ["content-type"] } }],
  ["request-timeout", /slow/, { body: { fault: "request-timeout", detail: "slow" } }],
  ["invalid-body", /repeated/, { body: '{"a":1,"a":2}' }],
  ["invalid-body", /UTF-8/, { body: { bytes: Buffer.from([0xff]), release() {} } as never }],
  ["invalid-body", /too many values/, { body: JSON.stringify(Array(10_000).fill(0)) }],
  ["invalid-body", /batch/, { body: "[]" }],
  ["invalid-body", /^\/amount is no number/, { body: MESSAGE.replace("7", '"7"') }],
  ["token-expired", /^$/, { expiresAt: NOW / 1000 + 30 }],
];
for (const [reason, detail, given] of REFUSED) {
  test(`inspect() refuses as ${reason}: ${detail.source}`, async () => {
    const { deciding, run } = ground(given);
    assert.equal(await run(), reason);
    assert.match(deciding.detail ?? "", detail);
    assert.equal(deciding.inspected, undefined);
  });
}

test("inspect() decides at the time when the body is there", async () => {
  const { deciding, run } = ground();
  await run();
  assert.equal(deciding.timeMs, NOW + 60_000);
});

test("inspectedBefore() keeps what was read while the route reads the same", async () => {
  const { deciding, run } = ground();
  await run();
  assert.equal(inspectedBefore(deciding), undefined);
  assert.notEqual(deciding.inspected, undefined);
  const other = inspectSchema.parse({ rpc: "mcp" });
  deciding.route = { inspect: createInspection(other, 1000) } as never;
  assert.equal(inspectedBefore(deciding), "no-route");
  deciding.route = {} as never;
  assert.equal(inspectedBefore(deciding), undefined);
  assert.equal(deciding.inspected, undefined);
});

test("inspectedBefore() denies a stream whose body nobody has looked into", () => {
  const { deciding } = ground();
  assert.equal(inspectedBefore(deciding), "no-route");
  const without = ground({ head: { bodyKind: "none" } });
  assert.equal(inspectedBefore(without.deciding), undefined);
});

test("inspectSchema refuses what could not be read, and says what would be right", () => {
  const value = { at: "/a", type: "long" };
  const refused: unknown[] = [
    {},
    { json: {} },
    { json: { "a-b": value } },
    { json: { a: { ...value, at: "" } } },
    { json: { a: { ...value, at: "a" } } },
    { json: { a: { ...value, type: "decimal" } } },
    { json: { a: { ...value, record: true } } },
    { json: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`a${index}`, value])) },
    { rpc: "soap" },
    { rpc: "mcp", limit: "2MiB" },
    { rpc: "mcp", other: 1 },
  ];
  for (const options of refused) {
    assert.equal(inspectSchema.safeParse(options).success, false, JSON.stringify(options));
  }
  assert.deepEqual(inspectWords(OPTIONS), {
    body: { amount: "long", note: "string" },
    rpc: "json-rpc",
  });
});
