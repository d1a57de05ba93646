/**
 * Advisory: whoever can write into the folder of the log plants lines there that look like records and have
 * members of other types, huge, negative or empty, or with names that every object has. No command that reads
 * the log may take one for a defect of its own: each says that the line is none of ours, or counts it as such,
 * and goes on with the others.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { main } from "../src/cli/main.ts";
import { candidateSource } from "../src/cli/candidate-source.ts";
import { encodePolicyBundle } from "../src/policy/bundle/policy-bundle.ts";
import { keepBundle } from "../src/policy/bundle/kept-bundles.ts";
import { openExplainable } from "../src/policy/explain/open-explainable.ts";
import { explainPolicies } from "../src/policy/explain/explanation.ts";
import { recordedRequest } from "../src/policy/explain/recorded-request.ts";
import { decisionText } from "../src/cli/explanation-text.ts";
import { explanationJson } from "../src/review/explain-decision.ts";
import { isRecordFault, parseRecord } from "../src/audit/record-schema.ts";
import { createValueHash } from "../src/audit/value-hash.ts";
import { systemClock } from "../src/platform/clock.ts";
import { permit } from "./audit-kit.ts";
import { ACCESS_DETAIL_TYPE } from "../src/model/access-detail.ts";
import { ground } from "./policy/log-ground.ts";

type Json = Readonly<Record<string, unknown>>;

const HOSTILE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53 - 1,
  2 ** 53,
  1e308,
  "",
  "x",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "\u0000",
  "\ud800",
  "9".repeat(400),
  "2026-13-45T99:99:99.999Z",
  "+275760-09-13T00:00:00.000Z",
  [],
  [null],
  [1],
  [["x"]],
  [{}],
  {},
  { "": null },
  { length: 5 },
  { constructor: 1, toString: 1, hasOwnProperty: 1 },
  { long: "9223372036854775808" },
  { toISOString: 1 },
];

/** Every member, and every member of members, replaced by each of them; and a member of every object's own names added. */
function hostile(record: Json): string[] {
  const texts: string[] = [];
  const put = (path: readonly (string | number)[], value: unknown): void => {
    texts.push(JSON.stringify(replaced(record, path, value)));
  };
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const key of Object.keys(value)) {
      const own = [...path, Array.isArray(value) ? Number(key) : key];
      for (const other of HOSTILE) put(own, other);
      put(own, undefined);
      walk((value as Json)[key], own);
    }
    for (const name of ["__proto__", "constructor", "toString", "then"]) {
      for (const other of [null, 1, "x", {}]) {
        const text = JSON.stringify(replaced(record, [...path, "\u0001"], other));
        texts.push(text.replace(String.raw`"\u0001"`, JSON.stringify(name)));
      }
    }
  };
  walk(record, []);
  return [...new Set(texts)];
}

function replaced(
  value: unknown,
  [key, ...rest]: readonly (string | number)[],
  to: unknown,
): unknown {
  if (key === undefined) return to;
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Json) }
  ) as Record<string | number, unknown>;
  copy[key] = replaced(copy[key], rest, to);
  return copy;
}

/** Every member that a decision can have. */
const FULL: Json = {
  action: "GET",
  actor: { authenticator: "corp", behind: ["a"], clientId: "c", issuer: "i", subject: "s" },
  authn: {
    acr: "2",
    ageSeconds: 12,
    amr: ["otp"],
    authenticator: "corp",
    bound: false,
    kind: "jwt",
  },
  body: { a: { value: 1 }, b: { hashes: ["h"], type: "string" } },
  clientAddress: "192.0.2.8",
  credentials: [{ hash: "h", kind: "bearer", outcome: "used" }],
  detail: "d",
  device: { authenticator: "mdm", kind: "device", subject: "laptop" },
  erroring: ["e"],
  params: { id: "17" },
  peerCertificate: { issuer: "i", serial: "1", spiffeId: "s", subject: "s", thumbprint: "t" },
  query: "a=1&b=*",
  reads: [
    { hashes: ["h"], kind: "header", name: "x-tenant" },
    { kind: "query", name: "a", unreadable: true },
  ],
  redacted: ["requestId"],
  rpc: { kind: "request", method: "tools/call", protocol: "mcp", tool: "search" },
  servicePath: "/17",
  shadow: { bundle: "sha256-x", determining: ["d"], reason: "no-permit" },
  trace: "4bf92f3577b34da6a3ce929d0e0e4736",
  truncated: { detail: { bytes: 9000, hash: "h" } },
  usage: { cost: 2, plan: "paid" },
  workload: { authenticator: "mesh", kind: "workload", subject: "w" },
};
const KEY: Json = {
  action: "issueKey",
  issue: {
    as: "subject",
    binding: "none",
    client: "job",
    grant: "token-exchange",
    lifetimeSeconds: 300,
    narrowed: false,
    other: "mesh/payments",
    questions: 1,
  },
  key: {
    ancestors: [
      { authenticator: "corp", id: "i", principal: { authenticator: "c", subject: "s" } },
    ],
    audience: ["billing"],
    binding: "none",
    clientId: "job",
    details: [{ type: ACCESS_DETAIL_TYPE, services: ["billing"] }],
    expiresAt: 1,
    id: "k",
    scopes: ["s"],
  },
};
const ASKED: Json = { asked: { by: "corp/x", decisionId: "d", time: "2026-11-24T04:05:06.123Z" } };
const EVENT: Json = {
  address: "192.0.2.0/24",
  decisions: ["d"],
  detail: "d",
  event: "quota-warning",
  figures: { period: "month", from: "2026-11-01T00:00:00.000Z", plan: "paid" },
  principal: "corp/ada",
  time: "2026-11-24T04:05:06.123Z",
  type: "event",
  v: 1,
};
const SUMMARY: Json = {
  counts: [{ cause: "rate", count: 4, listener: "edge", reason: "no-route" }],
  from: "2026-11-24T04:05:06.000Z",
  time: "2026-11-24T04:05:16.000Z",
  type: "summary",
  v: 1,
};

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process: thousands of runs. */
async function sallyport(context: TestContext, ...args: string[]): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const write = process.stdout.write.bind(process.stdout);
  const stdout = context.mock.method(process.stdout, "write", (text: string | Uint8Array) => {
    // Bytes are what the runner of the tests is told.
    if (typeof text !== "string") return write(text);
    out.push(text);
    return true;
  });
  const log = context.mock.method(
    console,
    "log",
    (text: unknown) => void out.push(`${String(text)}\n`),
  );
  const error = context.mock.method(console, "error", (...parts: unknown[]) => {
    err.push(
      parts.map((part) => (part instanceof Error ? (part.stack ?? "") : String(part))).join(" "),
    );
  });
  try {
    const code = await main(args);
    return { code, stdout: out.join(""), stderr: err.join("\n") };
  } finally {
    for (const one of [stdout, log, error]) one.mock.restore();
  }
}

async function stage(context: TestContext) {
  const folder = ground(context, [permit()]);
  const config = join(folder, "sallyport.yaml");
  const text = readFileSync(config, "utf8").replace("data/audit", "log");
  writeFileSync(
    config,
    `${text}usage: { count: all, plans: { paid: { quota: { per: month, requests: 2 } } } }\n`,
  );
  const log = join(folder, "log");
  const file = join(log, "audit-20261124T040506.123Z-1.jsonl");
  const [decision = "", completion = ""] = readFileSync(file, "utf8").split("\n");
  rmSync(join(log, "audit-20261125T040506.123Z-1.jsonl"));
  const bundle = encodePolicyBundle(await candidateSource(config, []));
  mkdirSync(join(log, "policies"));
  keepBundle(join(log, "policies"), bundle);
  const own = { ...(JSON.parse(decision) as Json), bundle: bundle.hash };
  const lines = {
    own: JSON.stringify(own),
    decisions: [
      ...hostile({ ...own, ...FULL }),
      ...hostile({ ...own, ...KEY }),
      ...hostile({ ...own, ...ASKED }),
    ],
    others: [JSON.parse(completion) as Json, EVENT, SUMMARY].flatMap(hostile),
  };
  return { config, log, file, lines };
}

const ID = "01KAT9T5KVH7Q2M4X8Z0R3B6CD";
const DEFECT = /defect|\n\s+at /;

/** Enough of them to meet each kind: all take a minute. */
function some(lines: readonly string[]): readonly string[] {
  return lines.filter((_, index) => index % 7 === 0);
}

test("commands that read a log end with what is in it, whatever else was planted there", async (context) => {
  const { config, log, file, lines } = await stage(context);
  const own = permit({ decisionId: "01KAT9T5KVH7Q2M4X8Z0R3B6CE" });
  const planted = [...some(lines.decisions), ...some(lines.others)];
  writeFileSync(file, `${planted.join("\n")}\n${lines.own.replaceAll(ID, own.decisionId)}\n`);
  const at = ["--audit", log];
  const policies = ["-c", config, "--from", log];
  for (const [args, codes, told] of [
    [["audit", "search", ...at, "--limit", "10000"], [0], /3B6CE/],
    [["audit", "search", ...at, "--id", ID, "--limit", "10000"], [0], /3B6CD/],
    [
      ["audit", "search", ...at, "--principal", "corp/payments", "--address", "192.0.2.0/24"],
      [0],
      /3B6CE/,
    ],
    [["audit", "export", ...at, "--format", "csv"], [1], /3B6CE/],
    [["audit", "export", ...at, "--address", "192.0.2.0/24"], [1], /3B6CE/],
    [["audit", "report", "access", ...at, "--from", "2026-11-01"], [0], /corp\/payments/],
    [["usage", "rebuild", "-c", config, "--lose-older"], [0], /made of 1 file of/],
    [
      ["usage", "report", "-c", config, "--from", "2026-11", "--to", "2026-12"],
      [0],
      /corp\/payments/,
    ],
    [["replay", ...policies], [0, 1], /same answer|lines? (?:that )?(?:is|are) no record/],
  ] as const) {
    const { code, stdout, stderr } = await sallyport(context, ...args);
    const name = args.slice(0, 3).join(" ");
    assert.doesNotMatch(stdout + stderr, DEFECT, name);
    assert.ok((codes as readonly number[]).includes(code), `${name}: ${code} ${stderr}`);
    assert.match(stdout + stderr, told, name);
  }
});

test("explain says of a planted record where it stands and that it is none of ours", async (context) => {
  const { log, file, lines } = await stage(context);
  const own = JSON.parse(lines.own) as Json;
  const principal = own["principal"] as Json;
  for (const [changes, why] of [
    [{ method: "PLANTED" }, "its action is none that the policies of its bundle know"],
    [{ route: "constructor" }, "its route is none that the policies of its bundle know"],
    [{ ...KEY, service: "__proto__" }, "its service is none that the policies of its bundle know"],
    [
      { principal: { ...principal, attributes: { level: 1e300 } } },
      "not a record of schema v1: principal.attributes.level",
    ],
    [
      { principal: { ...principal, attributes: { level: { long: "9223372036854775808" } } } },
      "not a record of schema v1",
    ],
    [{ reason: "constructor" }, "not a record of schema v1: reason"],
  ] as const) {
    writeFileSync(file, `{}\n\n${JSON.stringify({ ...own, ...changes })}\n`);
    const { code, stderr } = await sallyport(context, "explain", ID, "--audit", log);
    assert.equal(code, 2, stderr);
    const place =
      "sallyport: audit: line 3 of audit-20261124T040506.123Z-1.jsonl is no record of this log: ";
    assert.ok(stderr.startsWith(place + why), stderr);
  }
});

test("explain takes no decision for that of an id that it only names", async (context) => {
  const { log, file, lines } = await stage(context);
  const asked = { by: "corp/x", decisionId: ID };
  const other = {
    ...(JSON.parse(lines.own) as Json),
    asked,
    decisionId: "01KAT9T5KVH7Q2M4X8Z0R3B6CE",
  };
  writeFileSync(file, `${lines.own}\n${JSON.stringify(other)}\n`);
  const { stdout } = await sallyport(context, "explain", ID, "--audit", log, "--format", "json");
  assert.equal((JSON.parse(stdout) as { record: { decisionId: string } }).record.decisionId, ID);
});

test("whatever the schema takes for a decision can be explained, or names what its policies do not know", async (context) => {
  const { config, lines } = await stage(context);
  const set = await openExplainable(await candidateSource(config, []), { clock: systemClock });
  const hash = createValueHash(new Uint8Array(32));
  let explained = 0;
  for (const line of some(lines.decisions)) {
    const record = parseRecord(line);
    if (isRecordFault(record) || record.type !== "decision") continue;
    const asked = recordedRequest(record, { hash });
    if (asked === undefined || set.gate.unknownOf(asked) !== undefined) continue;
    const policies = explainPolicies(set, { request: asked, hidden: asked.hidden });
    const known = { record, file: "f", title: "", meaning: "", evaluation: "same" } as const;
    explanationJson({ ...known, policies });
    assert.match(decisionText({ ...known, policies }), /^PERMITTED|^DENIED/);
    explained += 1;
  }
  assert.ok(explained > 200);
});
