/**
 * The hostile requests of gunicorn and llhttp, end to end, over plain connections and over TLS, to a
 * service that speaks HTTP/1.1 and to one that speaks HTTP/2, as they are and mended (see conformance/http1-verdicts.ts, which has the verdict of RFC 9112 on
 * each). Whatever a case is, nothing that reads two ways may reach the service. Beyond that, what is
 * to be accepted is forwarded intact, save the cases listed here, and what is to be refused does not
 * arrive.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import {
  corpusRequests,
  expectedOutcome,
  type CorpusMessage,
} from "../conformance/http1-verdicts.ts";
import { arrivalsOf, assertHarmless, statusesOf } from "./expect.ts";
import { startStage, type Stage } from "./stage.ts";
import { readCallersRequests } from "./strict-http1.ts";

/** Well-formed, and refused by what comes after the parser: the status, the reason why, the cases. */
const REFUSED_LATER: readonly [status: number, why: string, ids: readonly string[]][] = [
  [
    204,
    "OPTIONS * is answered by the proxy",
    ["gunicorn:valid/rfc9112_target_asterisk_options_01"],
  ],
  [
    400,
    "a fragment is no part of a target (RFC 9112 section 3.2)",
    ["gunicorn:valid/005", "llhttp:uri.md#Fragment in URI"],
  ],
  [
    400,
    "quotes are not allowed in a path (RFC 3986 section 3.3)",
    ["gunicorn:valid/014", "llhttp:uri.md#Quotes in URI"],
  ],
  [
    400,
    "the mended Host is not the authority of the target",
    [
      "llhttp:uri.md#Host terminated by a query string",
      "llhttp:uri.md#`host:port` terminated by a query string",
      "llhttp:uri.md#`host:port` terminated by a space",
    ],
  ],
  [
    403,
    "an upgrade that the route does not list",
    ["llhttp:connection.md#Setting a flag and pausing"],
  ],
  [
    405,
    "a method that policies have no action for",
    [
      "gunicorn:invalid/003c",
      "gunicorn:valid/031",
      "gunicorn:valid/031compat",
      "gunicorn:valid/031compat2",
      "llhttp:invalid.md#HTTP protocol and ANNOUNCE method",
      "llhttp:invalid.md#Invalid method",
      "llhttp:method.md#LINK request",
      "llhttp:method.md#LINK request (2)",
      "llhttp:method.md#PURGE request",
      "llhttp:method.md#QUERY request",
      "llhttp:method.md#REPORT request",
      "llhttp:method.md#SEARCH request",
      "llhttp:method.md#SOURCE request",
    ],
  ],
];

/** The last one has a service that speaks HTTP/2. */
const OVER = ["plain", "tls", "plain to h2"] as const;

const later = new Map(
  REFUSED_LATER.flatMap(([status, why, ids]) => ids.map((id) => [id, { status, why }] as const)),
);
const requests = corpusRequests();

if (requests === undefined) {
  test("requests of gunicorn and llhttp", { skip: "the corpora are absent" }, () => undefined);
} else {
  test("every request that is refused later is in the corpora", () => {
    const ids = new Set(requests.map(({ id }) => id));
    for (const id of later.keys()) assert.ok(ids.has(id), id);
  });
  const stages = await startStages();
  after(() => Promise.all(stages.map(({ stage }) => stage.close())));
  for (const request of requests) {
    test(`${request.id}, as it is`, () => overEach(stages, (on) => judgeGiven(request, on)));
    test(`${request.id}, mended`, () => overEach(stages, (on) => judgeMended(request, on)));
  }
}

interface NamedStage {
  readonly over: (typeof OVER)[number];
  readonly stage: Stage;
}

function startStages(): Promise<NamedStage[]> {
  return Promise.all(
    OVER.map(async (over) => ({
      over,
      stage: await startStage({
        tls: over === "tls",
        upstream: over === "plain to h2" ? "h2" : "http/1.1",
      }),
    })),
  );
}

/** At the same time, for a case waits more than it works; what fails says over which it was. */
async function overEach(
  stages: readonly NamedStage[],
  judgeOn: (stage: Stage) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(stages.map(({ stage }) => judgeOn(stage)));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === "rejected") {
      throw new Error(`over ${stages[index]?.over}`, { cause: outcome.reason });
    }
  }
}

async function judgeGiven({ given }: CorpusMessage, { attack }: AttackOn): Promise<void> {
  const bytes = given.toString("latin1");
  assertHarmless(await attack(bytes, { cutOff: swallows(bytes) }));
}

async function judgeMended(request: CorpusMessage, { attack }: AttackOn): Promise<void> {
  const bytes = request.mended.toString("latin1");
  const evidence = await attack(bytes, { cutOff: swallows(bytes) });
  assertHarmless(evidence);
  const arrived = arrivalsOf(evidence).filter(({ target }) => !target.startsWith("/sentinel"));
  const statuses = statusesOf(evidence);
  const strict = readCallersRequests(bytes).messages;
  const outcome = expectedOutcome(request);
  const refused = later.get(request.id);
  if (outcome === "refuse") {
    assert.ok(
      statuses.some((status) => status >= 400),
      `it was answered with ${statuses.join()}`,
    );
    assert.ok(arrived.length <= strict.length, "what is to be refused arrived");
  } else if (refused !== undefined) {
    assert.ok(statuses.includes(refused.status), `${statuses.join()}: ${refused.why}`);
  } else if (outcome === "accept") {
    assert.ok(arrived.length > 0, `it was answered with ${statuses.join()}`);
    for (const [index, { method, body }] of arrived.entries()) {
      assert.equal(method, strict[index]?.method);
      assert.equal(body, strict[index]?.body);
    }
  }
}

type AttackOn = Pick<Stage, "attack">;

/** Whether a request sent behind these bytes is taken for a part of them. */
function swallows(bytes: string): boolean {
  return readCallersRequests(`${bytes}GET / HTTP/1.1\r\nHost: a\r\n\r\n`).end === "incomplete";
}
