/**
 * What the operations of an OpenAPI document of 500 paths cost: a request (finding its operation, and a
 * decision that reads a typed parameter, beside a decision about the method alone), and 10 000 policies over
 * them: loading, and a decision.
 *
 * `tools/with-runtime node|bun bench/operations.ts` prints the table.
 */
import { createOperationRouter } from "../src/gate/operations/operation-router.ts";
import type { Policies, PolicyRequest } from "../src/model/policy.ts";
import type { Vocabulary, VocabularyOperation } from "../src/model/vocabulary.ts";
import { systemClock } from "../src/platform/clock.ts";
import { compilePolicies } from "../src/policy/compile-policies.ts";
import { medianUs, timed } from "./processor-time.ts";
import { figure, formatSection, type Section } from "./report.ts";

const SIZES = { paths: 500, policies: 10_000, quickPolicies: 100 } as const;
const GOALS = { requestUs: 2, loadSeconds: 10 } as const;

export interface OperationFigures {
  /** Microseconds. */
  readonly find: number;
  readonly byMethod: number;
  readonly byOperation: number;
  readonly policies: number;
  readonly loadMs: number;
  /** Microseconds of a decision among all of them. */
  readonly amongAll: number;
}

/** Takes about half a minute. */
export async function runOperationsBench({ quick }: { readonly quick: boolean }): Promise<Section> {
  return reportOperations(await benchOperations(quick ? SIZES.quickPolicies : SIZES.policies));
}

export function reportOperations(figures: OperationFigures): Section {
  const { find, byMethod, byOperation, policies, loadMs, amongAll } = figures;
  const among = `${figure(policies)} policies over ${SIZES.paths} operations`;
  return {
    name: "operations",
    title: `${SIZES.paths} operations of an OpenAPI document`,
    table: {
      columns: ["what", "processor time"],
      rows: [
        [`finding one of ${SIZES.paths} operations`, `${figure(find)} µs`],
        ["a decision by the method", `${figure(byMethod)} µs`],
        ["a decision by the operation and a typed parameter", `${figure(byOperation)} µs`],
        [`loading ${among}`, `${figure(loadMs / 1000)} s`],
        [`a decision with ${among}`, `${figure(amongAll)} µs`],
      ],
    },
    goals: [
      goal("what operations add to a request", "µs", {
        measured: find + byOperation - byMethod,
        atMost: GOALS.requestUs,
      }),
      goal(`loading ${among}`, "s", { measured: loadMs / 1000, atMost: GOALS.loadSeconds }),
    ],
    data: figures,
  };
}

function goal(
  what: string,
  unit: string,
  { measured, atMost }: { readonly measured: number; readonly atMost: number },
): Section["goals"][number] {
  return { what, unit: ` ${unit}`, measured, bound: { atMost } };
}

async function benchOperations(count: number): Promise<OperationFigures> {
  const router = createOperationRouter("api", OPERATIONS);
  const asked = requestAbout(487);
  const plain = await compiled(
    '@id("a") permit (principal, action in Sallyport::Action::"read", resource);',
  );
  const typed = await compiled(
    `@id("a") permit (principal, action == Sallyport::Action::"api:get487", resource)
     when { context.parameters.id == 12345 };`,
    OPERATIONS,
  );
  if (router.find(asked.path)?.method("GET")?.action !== asked.action)
    throw new TypeError("not found");
  if (typed.decide(asked).reason !== "permitted") throw new TypeError("not permitted");
  const byMethod = { ...asked, action: "GET" };
  const loaded = await timed(async () => await compiled(textOf(count), OPERATIONS));
  const requests = OPERATIONS.map((_, index) => requestAbout(index));
  return {
    find: medianUs(() => router.find(asked.path)?.method("GET")),
    byMethod: medianUs(() => plain.decide(byMethod)),
    byOperation: medianUs(() => typed.decide(asked)),
    policies: count,
    loadMs: loaded.ms,
    amongAll: medianUs((step) => loaded.value.decide(requests[step % requests.length] ?? asked)),
  };
}

const OPERATIONS: readonly VocabularyOperation[] = Array.from(
  { length: SIZES.paths },
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
    authenticators: [{ name: "corp", kinds: ["workload"], attributes: {}, bareRoles: [] }],
    services: [{ name: "api", attributes: {}, ...(operations && { operations }) }],
    routes: [{ name: "api", service: "api", attributes: {}, params: [] }],
  };
}

function requestAbout(index: number): PolicyRequest {
  return {
    principal: Object.freeze({
      kind: "workload",
      authenticator: "corp",
      subject: `w${index}`,
      roles: [`corp/team${index}`, `corp/team${index + SIZES.paths}`, "corp/all"],
      groups: [],
      attributes: {},
    }),
    action: `api:get${index}`,
    route: "api",
    path: `/v1/area${index % 20}/things${index}/12345`,
    host: "api.example.com",
    method: "GET",
    params: {},
    query: undefined,
    fields: [],
    ip: "127.0.0.1",
    timeMs: 0,
    scopes: [],
    authn: {
      kind: "none",
      authenticator: "",
      ageSeconds: 0,
      acr: undefined,
      amr: [],
      bound: false,
    },
  };
}

async function compiled(
  text: string,
  operations?: readonly VocabularyOperation[],
): Promise<Policies> {
  const files = [{ name: "bench.cedar", text }];
  const source = { files, vocabulary: vocabulary(operations) };
  const result = await compilePolicies(source, { clock: systemClock });
  if (result.policies === undefined) throw new TypeError(JSON.stringify(result.problems));
  return result.policies;
}

/** Each for a role of its own, as where each team has its rules; a third of them for a group of operations. */
function textOf(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const { id, groups } = OPERATIONS[index % OPERATIONS.length] ?? { id: "", groups: [""] };
    const action =
      index % 3 === 0
        ? `in Sallyport::Action::"api/${groups[0]}"`
        : `== Sallyport::Action::"api:${id}"`;
    const role = `Sallyport::Role::"corp/team${index}"`;
    return `@id("p${index}") permit (principal in ${role}, action ${action}, resource) when { context.parameters.id == ${index} };`;
  }).join("\n");
}

if (import.meta.main) console.log(formatSection(await runOperationsBench({ quick: false })));
