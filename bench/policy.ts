/**
 * What a policy decision costs with 10, 1 000 and 10 000 policies, ours beside the official engine:
 * policies scoped to different roles, principals, services and routes, and the worst case, in which
 * every policy's scope takes every request.
 *
 * `tools/with-runtime node|bun bench/policy.ts` prints the table.
 */
import { compilePolicies } from "../src/policy/compile-policies.ts";
import { officialPreparsed, type OfficialRequest } from "../src/policy/official/official-engine.ts";
import { systemClock } from "../src/platform/clock.ts";
import { principalId, type Principal } from "../src/model/principal.ts";
import type { PolicyRequest } from "../src/model/policy.ts";
import type { Vocabulary } from "../src/model/vocabulary.ts";

export interface PolicyBenchRow {
  readonly shape: "scoped" | "unscoped";
  readonly policies: number;
  /** Microseconds for a decision of ours: median and 99th percentile over batches, in the best round. */
  readonly medianUs: number;
  readonly p99Us: number;
  /** Microseconds for a decision of the official engine, policies preparsed; median of the best round. */
  readonly officialMedianUs: number;
  /** Milliseconds from texts to policies in force: parsing, validation, compilation. */
  readonly loadMs: number;
  /** Longest time for which loading held up the event loop, in milliseconds. */
  readonly loadBlockedMs: number;
}

const SIZES = [10, 1000, 10_000] as const;
const SHAPES = ["scoped", "unscoped"] as const;

const LIMITS = {
  services: 20,
  routes: 200,
  /** Requests, each with a principal of its own, asked in turn. */
  requests: 1000,
  /** Decisions in one timed batch: the clock is coarser than one decision. */
  batch: 50,
  /** Each engine in turn; the best round counts, as other loads on the machine only ever add. */
  rounds: 6,
  roundMs: 300,
} as const;

/** Runs all cells, one after the other. Takes about a minute. */
export async function benchPolicy(): Promise<PolicyBenchRow[]> {
  const rows: PolicyBenchRow[] = [];
  for (const shape of SHAPES) {
    for (const size of SIZES) rows.push(await cell(shape, size));
  }
  return rows;
}

async function cell(shape: PolicyBenchRow["shape"], size: number): Promise<PolicyBenchRow> {
  const texts = Array.from({ length: size }, (_, index) => policyText(shape, index));
  const started = performance.now();
  const watch = watchEventLoop();
  const result = await compilePolicies(
    { files: [{ name: "bench.cedar", text: texts.join("\n") }], vocabulary: VOCABULARY },
    { clock: systemClock },
  );
  const loadMs = performance.now() - started;
  const loadBlockedMs = watch();
  if (result.policies === undefined) throw new TypeError(JSON.stringify(result.problems[0]));
  const { policies } = result;

  const decide = officialPreparsed(
    `bench-${shape}-${String(size)}`,
    Object.fromEntries(texts.map((text, index) => [`p${String(index)}`, text])),
  );
  const requests = Array.from({ length: LIMITS.requests }, (_, step) => requestOf(size, step));
  for (const request of requests.slice(0, 20)) {
    const { value } = decide(official(request));
    const permitted = policies.decide(request).reason === "permitted";
    if ((value?.decision === "allow") !== permitted) throw new TypeError("the engines disagree");
  }
  let ours: Measured = WORST;
  let theirs: Measured = WORST;
  for (let round = 0; round < LIMITS.rounds; round++) {
    ours = better(
      ours,
      measure(requests, LIMITS.batch, (request) => policies.decide(request)),
    );
    theirs = better(
      theirs,
      measure(requests, 1, (request) => decide(official(request))),
    );
  }
  return {
    shape,
    policies: size,
    medianUs: ours.median,
    p99Us: ours.p99,
    officialMedianUs: theirs.median,
    loadMs: Math.round(loadMs),
    loadBlockedMs: Math.round(loadBlockedMs),
  };
}

/** Returns the function that ends the watch and gives the longest turn of the event loop. */
function watchEventLoop(): () => number {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 1);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

/** Microseconds. */
interface Measured {
  readonly median: number;
  readonly p99: number;
}

const WORST: Measured = { median: Infinity, p99: Infinity };

function better(left: Measured, right: Measured): Measured {
  return right.median < left.median ? right : left;
}

function measure(
  requests: readonly PolicyRequest[],
  batch: number,
  run: (request: PolicyRequest) => unknown,
): Measured {
  const samples: number[] = [];
  let next = 0;
  const one = (): void => {
    const began = performance.now();
    for (let count = 0; count < batch; count++) {
      const request = requests[next % requests.length];
      if (request === undefined) throw new TypeError("nothing to ask");
      run(request);
      next += 1;
    }
    samples.push(((performance.now() - began) * 1000) / batch);
  };
  const end = performance.now() + LIMITS.roundMs;
  while (samples.length < 3 || performance.now() < end) one();
  const sorted = samples.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 100) / 100;
  return { median: at(0.5), p99: at(0.99) };
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}${String(index)}`);
}

const VOCABULARY: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["workload"], attributes: { tenant: "string" }, bareRoles: [] },
  ],
  services: names("s", LIMITS.services).map((name) => ({ name, attributes: { public: false } })),
  routes: names("r", LIMITS.routes).map((name, index) => ({
    name,
    service: `s${String(index % LIMITS.services)}`,
    attributes: {},
    params: [],
  })),
};

/**
 * Four ways to scope, in turn, with as many roles and principals as there are policies, as where each
 * team or tenant has its own; the condition is a usual one.
 */
function policyText(shape: PolicyBenchRow["shape"], index: number): string {
  const [role, principal, service, route] = [
    `Sallyport::Role::"corp/role${String(index)}"`,
    `Sallyport::Workload::"corp/w${String(index)}"`,
    `Sallyport::Service::"s${String((index * 7) % LIMITS.services)}"`,
    `Sallyport::Route::"r${String((index * 11) % LIMITS.routes)}"`,
  ];
  const scoped = [
    `principal in ${role}, action in Sallyport::Action::"read", resource in ${service}`,
    `principal == ${principal}, action, resource == ${route}`,
    `principal is Sallyport::Workload in ${role}, action in Sallyport::Action::"write", resource`,
    `principal in ${role}, action == Sallyport::Action::"GET", resource == ${route}`,
  ];
  const scope = shape === "scoped" ? scoped[index % 4] : "principal, action, resource";
  const path = `/r${String((index * 11) % LIMITS.routes)}/records/*`;
  return `@id("p${String(index)}") permit (${scope ?? ""}) when { context.path like "${path}" && principal has tenant && principal.tenant == "t${String(index % 3)}" };`;
}

/** Spread over roles, principals, services and routes so that each meets some of the policies. */
function requestOf(size: number, step: number): PolicyRequest {
  const index = Math.floor((step * size) / LIMITS.requests);
  const principal: Principal = Object.freeze({
    kind: "workload",
    authenticator: "corp",
    subject: `w${String(index)}`,
    roles: [0, 1, 3].map((offset) => `corp/role${String((index + offset) % size)}`),
    groups: names("corp/group", 5),
    attributes: { tenant: `t${String(index % 3)}` },
  });
  const route = (index * 11) % LIMITS.routes;
  const method = step % 3 === 0 ? "POST" : "GET";
  return {
    principal,
    action: method,
    route: `r${String(route)}`,
    path: `/r${String(route)}/records/${String(index)}`,
    host: "api.example.com",
    method,
    params: {},
    query: "page=1",
    fields: ["accept", "*/*", "user-agent", "bench"],
    ip: "10.0.0.1",
    timeMs: 1_700_000_000_000,
    scopes: ["read"],
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

/** The same question for the official engine, with what these policies can read. */
function official(request: PolicyRequest): OfficialRequest {
  const { principal } = request;
  const uid = (type: string, id: string) => ({ type: `Sallyport::${type}`, id });
  const caller = uid("Workload", principalId(principal));
  const group = request.action === "GET" ? "read" : "write";
  const service = VOCABULARY.routes.find(({ name }) => name === request.route)?.service ?? "";
  return {
    principal: caller,
    action: uid("Action", request.action),
    resource: uid("Route", request.route),
    context: { path: request.path, host: request.host, method: request.method },
    entities: [
      {
        uid: caller,
        attrs: principal.attributes,
        parents: [
          ...principal.roles.map((role) => uid("Role", role)),
          ...principal.groups.map((name) => uid("Group", name)),
        ],
      },
      { uid: uid("Action", request.action), attrs: {}, parents: [uid("Action", group)] },
      {
        uid: uid("Route", request.route),
        attrs: { public: false },
        parents: [uid("Service", service)],
      },
    ],
  };
}

if (import.meta.main) {
  console.log("policies  shape     median µs     p99 µs  official µs    load ms  blocked ms");
  for (const row of await benchPolicy()) {
    const cells = [row.medianUs, row.p99Us, row.officialMedianUs, row.loadMs, row.loadBlockedMs];
    console.log(
      `${String(row.policies).padStart(8)}  ${row.shape.padEnd(8)}${cells
        .map((value) => String(value).padStart(11))
        .join("")}`,
    );
  }
}
