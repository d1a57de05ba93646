/**
 * What operations from an OpenAPI document of 500 paths cost: a request (finding its operation, and a
 * decision that reads a typed parameter, beside a decision about the method alone), and loading policies over them.
 *
 * `tools/with-runtime node|bun bench/operations.ts [POLICIES]` prints the figures.
 */
import { createOperationRouter } from "../src/gate/operations/operation-router.ts";
import type { Policies, PolicyRequest } from "../src/model/policy.ts";
import { ANONYMOUS } from "../src/model/principal.ts";
import type { Vocabulary, VocabularyOperation } from "../src/model/vocabulary.ts";
import { systemClock } from "../src/platform/clock.ts";
import { compilePolicies } from "../src/policy/compile-policies.ts";

const LIMITS = {
  paths: 500,
  policies: 10_000,
  /** Calls in one timed batch: the clock is coarser than one. */
  batch: 10_000,
  /** The best round counts, as other loads on the machine only ever add. */
  rounds: 20,
} as const;

const OPERATIONS: readonly VocabularyOperation[] = Array.from(
  { length: LIMITS.paths },
  (_, index) => ({
    id: `get${index}`,
    method: "GET",
    path: `/v1/area${index % 20}/things${index}/{id}`,
    groups: [`area${index % 20}`],
    parameters: [{ name: "id", type: "long", required: true, segment: 3 }],
  }),
);

function vocabulary(operations: readonly VocabularyOperation[] | undefined): Vocabulary {
  return {
    authenticators: [],
    services: [{ name: "api", attributes: {}, ...(operations && { operations }) }],
    routes: [{ name: "api", service: "api", attributes: {}, params: [] }],
  };
}

const REQUEST: PolicyRequest = {
  principal: ANONYMOUS,
  action: "GET",
  route: "api",
  path: "/v1/area7/things487/12345",
  host: "api.example.com",
  method: "GET",
  params: {},
  query: undefined,
  fields: [],
  ip: "127.0.0.1",
  timeMs: 0,
  scopes: [],
  authn: { kind: "none", authenticator: "", ageSeconds: 0, acr: undefined, amr: [], bound: false },
};

async function policies(
  text: string,
  operations?: readonly VocabularyOperation[],
): Promise<Policies> {
  const files = [{ name: "bench.cedar", text }];
  const source = { files, vocabulary: vocabulary(operations) };
  const result = await compilePolicies(source, { clock: systemClock });
  if (result.policies === undefined) throw new TypeError(JSON.stringify(result.problems));
  return result.policies;
}

/** Microseconds of one call in the best round. */
function measure(call: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < LIMITS.rounds; round++) {
    const started = performance.now();
    for (let index = 0; index < LIMITS.batch; index++) call();
    best = Math.min(best, ((performance.now() - started) * 1000) / LIMITS.batch);
  }
  return best;
}

const router = createOperationRouter("api", OPERATIONS);
const asked: PolicyRequest = { ...REQUEST, action: "api:get487" };
const plain = await policies(
  '@id("a") permit (principal, action in Sallyport::Action::"read", resource);',
);
const typed = await policies(
  `@id("a") permit (principal, action == Sallyport::Action::"api:get487", resource)
   when { context.parameters.id == 12345 };`,
  OPERATIONS,
);
if (router.find(REQUEST.path)?.method("GET")?.action !== "api:get487")
  throw new TypeError("not found");
if (typed.decide(asked).reason !== "permitted") throw new TypeError("not permitted");
const find = measure(() => router.find(REQUEST.path)?.method("GET"));
const [byMethod, byOperation] = [plain, typed].map((one, index) =>
  measure(() => one.decide(index === 0 ? REQUEST : asked)),
);
const us = (value = 0): string => `${value.toFixed(2)} us`;
process.stdout.write(`find one of ${LIMITS.paths} operations  ${us(find)}\n`);
process.stdout.write(`decide by the method            ${us(byMethod)}\n`);
process.stdout.write(`decide by a typed parameter     ${us(byOperation)}\n`);

const count = Number(process.argv[2] ?? LIMITS.policies);
const texts = Array.from({ length: count }, (_, index) => {
  const { id, groups } = OPERATIONS[index % OPERATIONS.length] ?? { id: "", groups: [""] };
  const action =
    index % 3 === 0
      ? `in Sallyport::Action::"api/${groups[0]}"`
      : `== Sallyport::Action::"api:${id}"`;
  return `@id("p${index}") permit (principal, action ${action}, resource) when { context.parameters.id == ${index} };`;
});
const started = performance.now();
await policies(texts.join("\n"), OPERATIONS);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(`load ${count} policies over them  ${seconds} s\n`);
