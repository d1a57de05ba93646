/**
 * What 100 000 entities of data files cost: loading them, and a decision about callers who are among them;
 * and reading the same data as JSON and as YAML.
 *
 * `tools/with-runtime node|bun bench/entities.ts` prints the table.
 */
import type { PolicyRequest } from "../src/model/policy.ts";
import type { Vocabulary } from "../src/model/vocabulary.ts";
import { systemClock } from "../src/platform/clock.ts";
import { compilePolicies } from "../src/policy/compile-policies.ts";
import { readDataFile } from "../src/policy/data/data-document.ts";
import { medianUs, timed } from "./processor-time.ts";
import { figure, formatSection, type Section } from "./report.ts";

const SIZES = {
  entities: 100_000,
  quickEntities: 1000,
  /** Groups, each in one of ten others, and as many policies. */
  groups: 1000,
  /** Entities of the file that is read in both forms: YAML of all would take minutes. */
  compared: 10_000,
  quickCompared: 500,
} as const;

const DECISION_GOAL_US = 3;

export interface EntityFigures {
  readonly entities: number;
  readonly loadMs: number;
  /** Microseconds of a decision. */
  readonly decision: number;
  readonly compared: number;
  readonly jsonMs: number;
  readonly yamlMs: number;
}

/** Takes about half a minute. */
export async function runEntitiesBench({ quick }: { readonly quick: boolean }): Promise<Section> {
  return reportEntities(
    await (quick
      ? benchEntities(SIZES.quickEntities, SIZES.quickCompared)
      : benchEntities(SIZES.entities, SIZES.compared)),
  );
}

export function reportEntities(figures: EntityFigures): Section {
  const { entities, loadMs, decision, compared, jsonMs, yamlMs } = figures;
  return {
    name: "entities",
    title: "A hundred thousand entities of data files",
    table: {
      columns: ["what", "processor time"],
      rows: [
        [
          `loading ${figure(entities)} entities and ${figure(SIZES.groups)} policies`,
          `${figure(loadMs / 1000)} s`,
        ],
        ["a decision about one of them", `${figure(decision)} µs`],
        [`reading ${figure(compared)} entities as JSON`, `${figure(jsonMs)} ms`],
        ["… as YAML", `${figure(yamlMs)} ms`],
      ],
    },
    goals: [
      {
        what: `a decision with ${figure(entities)} entities`,
        unit: " µs",
        measured: decision,
        bound: { atMost: DECISION_GOAL_US },
      },
    ],
    data: figures,
  };
}

async function benchEntities(entities: number, compared: number): Promise<EntityFigures> {
  const files = [
    { name: "bench.cedar", text: policiesText() },
    { name: "teams.json", text: JSON.stringify(dataOf(entities)) },
  ];
  const { ms: loadMs, value } = await timed(
    async () => await compilePolicies({ files, vocabulary: VOCABULARY }, { clock: systemClock }),
  );
  if (value.policies === undefined) throw new TypeError(JSON.stringify(value.problems[0]));
  const { policies } = value;
  const requests = Array.from({ length: 1000 }, (_, step) =>
    requestOf(Math.floor((step * entities) / 1000)),
  );
  const [first] = requests;
  if (first === undefined || policies.decide(first).reason !== "permitted") {
    throw new TypeError("not permitted");
  }
  const data = dataOf(compared);
  const read = (name: string, text: string) => async (): Promise<void> => {
    if (readDataFile({ name, text }).problems !== undefined)
      throw new TypeError(`${name} is wrong`);
    await Promise.resolve();
  };
  const json = await timed(read("d.json", JSON.stringify(data)));
  const yaml = await timed(read("d.yaml", yamlOf(data)));
  return {
    entities,
    loadMs,
    decision: medianUs((step) => policies.decide(requests[step % requests.length] ?? first)),
    compared,
    jsonMs: json.ms,
    yamlMs: yaml.ms,
  };
}

const VOCABULARY: Vocabulary = {
  authenticators: [{ name: "corp", kinds: ["user"], attributes: {}, bareRoles: [] }],
  services: [{ name: "service", attributes: {} }],
  routes: [{ name: "records", service: "service", attributes: {}, params: [] }],
};

interface Data {
  readonly groups: Readonly<Record<string, { readonly in: readonly string[] }>>;
  readonly entities: Readonly<
    Record<
      string,
      { readonly attributes: { readonly clearance: number }; readonly in: readonly string[] }
    >
  >;
}

function dataOf(entities: number): Data {
  const groups = Array.from({ length: SIZES.groups }, (_, index) => [
    `g${index}`,
    { in: index < 10 ? [] : [`Group::"g${index % 10}"`] },
  ]);
  const users = Array.from({ length: entities }, (_, index) => [
    `User::"corp/u${index}"`,
    { attributes: { clearance: index % 5 }, in: [`Group::"g${index % SIZES.groups}"`] },
  ]);
  return {
    groups: Object.fromEntries(groups) as Data["groups"],
    entities: Object.fromEntries(users) as Data["entities"],
  };
}

/** As a person would write it. */
function yamlOf({ groups, entities }: Data): string {
  const list = (texts: readonly string[]): string =>
    `[${texts.map((text) => `'${text}'`).join(", ")}]`;
  return [
    "groups:",
    ...Object.entries(groups).map(([name, one]) => `  ${name}: { in: ${list(one.in)} }`),
    "entities:",
    ...Object.entries(entities).map(
      ([name, { attributes, in: above }]) =>
        `  '${name}': { attributes: { clearance: ${attributes.clearance} }, in: ${list(above)} }`,
    ),
    "",
  ].join("\n");
}

function policiesText(): string {
  return Array.from(
    { length: SIZES.groups },
    (_, index) =>
      `@id("p${index}") permit (principal is Sallyport::User in Sallyport::Group::"g${index}", action in Sallyport::Action::"read", resource) when { principal has clearance && principal.clearance < 5 };`,
  ).join("\n");
}

function requestOf(index: number): PolicyRequest {
  return {
    principal: Object.freeze({
      kind: "user",
      authenticator: "corp",
      subject: `u${index}`,
      roles: [],
      groups: [],
      attributes: {},
    }),
    action: "GET",
    route: "records",
    path: "/records/1",
    host: "api.example.com",
    method: "GET",
    params: {},
    query: undefined,
    fields: [],
    ip: "127.0.0.1",
    timeMs: 0,
    scopes: [],
    authn: {
      kind: "jwt",
      authenticator: "corp",
      ageSeconds: 1,
      acr: undefined,
      amr: [],
      bound: false,
    },
  };
}

if (import.meta.main) console.log(formatSection(await runEntitiesBench({ quick: false })));
