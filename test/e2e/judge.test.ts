/** The judge must be able to condemn: each rule has evidence that breaks it alone. */
import test from "node:test";
import { strict as assert } from "node:assert";
import { judge, type Evidence } from "./judge.ts";

const ARRIVED = "GET /a?x=1 HTTP/1.1\r\nhost: h\r\nsallyport-decision: d1\r\n\r\n";
const ANSWER = "HTTP/1.1 200 OK\r\nSallyport-Decision: d1\r\nContent-Length: 2\r\n\r\nok";
const DECISION = { decisionId: "d1", decision: "permit", method: "GET", path: "/a" };
const COMPLETION = { decisionId: "d1", end: "complete", status: 200 };
const CLEAN: Evidence = {
  methods: ["GET"],
  answer: ANSWER,
  closed: false,
  arrived: [ARRIVED],
  decisions: [DECISION],
  completions: [COMPLETION],
  spoofed: ["root"],
};

test("judge() acquits a request that was allowed, arrived, and was answered", () => {
  assert.deepEqual(judge(CLEAN), []);
});

test("judge() acquits a request that was denied and did not arrive", () => {
  const answer = ANSWER.replace("200 OK", "403 Forbidden");
  const decisions = [{ ...DECISION, decision: "deny" }];
  assert.deepEqual(judge({ ...CLEAN, arrived: [], completions: [], decisions, answer }), []);
});

const BROKEN: readonly [name: string, rule: string, evidence: Partial<Evidence>][] = [
  ["an arrival without a record", "rule 1", { decisions: [], completions: [] }],
  ["an arrival that was denied", "rule 1", { decisions: [{ ...DECISION, decision: "deny" }] }],
  ["another path than the allowed one", "rule 1", { decisions: [{ ...DECISION, path: "/b" }] }],
  ["another method", "rule 1", { decisions: [{ ...DECISION, method: "POST" }] }],
  ["an arrival that came twice", "rule 1", { arrived: [ARRIVED + ARRIVED] }],
  ["two decisions in one arrival", "rule 1", { arrived: [withField("sallyport-decision: d2")] }],
  ["a permit without a completion", "rule 1", { completions: [] }],
  ["a permit with two completions", "rule 1", { completions: [COMPLETION, COMPLETION] }],
  ["a complete request that never arrived", "rule 1", { arrived: [] }],
  [
    "both framing fields",
    "rule 2",
    { arrived: [withField("content-length: 0\r\ntransfer-encoding: chunked")] },
  ],
  ["a bare LF", "rule 2", { arrived: [withField("a: b\nc: d")] }],
  ["a bare CR", "rule 2", { arrived: [withField("a: b\rc")] }],
  ["a NUL", "rule 2", { arrived: [withField("a: \0")] }],
  ["a folded line", "rule 2", { arrived: [withField("a: b\r\n c: d")] }],
  ["two Hosts", "rule 2", { arrived: [withField("host: i")] }],
  ["a spoofed field", "rule 3", { arrived: [withField("x-sallyport-subject: root")] }],
  ["a dot segment", "rule 3", pathEverywhere("/a/../b")],
  ["an empty segment", "rule 3", pathEverywhere("/a//b")],
  ["an encoded slash", "rule 3", pathEverywhere("/a%2Fb")],
  ["an escaped letter", "rule 3", pathEverywhere("/%61")],
  ["an escaped dot", "rule 3", pathEverywhere("/%2e")],
  ["a double escape", "rule 3", pathEverywhere("/%2561")],
  ["an answer that names no decision", "rule 4", { answer: ANSWER.replace("d1", "d2") }],
  ["a 200 to what was denied", "rule 4", { decisions: [{ ...DECISION, decision: "deny" }] }],
  ["a 204 of its own to no OPTIONS *", "rule 4", { answer: ANSWER.replace("200", "204") }],
  ["a status that is no refusal", "rule 4", { answer: ANSWER.replace("200", "500") }],
  ["two answers to one request", "rule 4", { answer: ANSWER + ANSWER }],
  ["an answer that is cut off", "rule 4", { answer: ANSWER.slice(0, -1), closed: true }],
  ["neither an answer nor a close", "rule 4", { answer: "" }],
  ["an answer with a bare LF", "rule 4", { answer: ANSWER.replace("\r\n", "\n") }],
];

for (const [name, rule, change] of BROKEN) {
  test(`judge() condemns ${name} by ${rule}`, () => {
    const faults = judge({ ...CLEAN, ...change });
    assert.ok(
      faults.some((fault) => fault.startsWith(rule)),
      faults.join("\n"),
    );
  });
}

function withField(line: string): string {
  return ARRIVED.replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);
}

function pathEverywhere(path: string): Partial<Evidence> {
  return { arrived: [ARRIVED.replace("/a", path)], decisions: [{ ...DECISION, path }] };
}
