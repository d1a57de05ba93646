/**
 * Generated HTTP/2 requests, hostile in names, values, pseudo-fields, bodies and trailers, through
 * `sallyport run` to services of both protocols. Whatever they are: what reaches the service reads
 * strictly as exactly the requests that the log says were permitted, and the next one gets its answer.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import * as fc from "fast-check";
import { attackFields, attackStatuses } from "../http2/attack.ts";
import type { Field } from "../http2/hpack.ts";
import { arrivalsOf } from "./expect.ts";
import { judge } from "./judge.ts";
import { PROTOCOLS } from "./protocols.ts";
import { startStage } from "./stage.ts";

const RUNS = 100;

const SMUGGLED = "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n";

/** What is put into a text to break it: ends of lines and fields, controls, bytes beyond ASCII. */
const knife = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  '"',
  "\x7f",
  "\x80",
  "\xff",
  "#",
  "\\",
  "%00",
  "%2f",
  "..",
  "//",
  `\r\n\r\n${SMUGGLED}`,
  " HTTP/1.1\r\nX: y",
);

/** A harmless text, cut by at most two knives. */
function cut(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: text },
    { weight: 1, arbitrary: fc.tuple(text, knife, text).map((parts) => parts.join("")) },
    { weight: 1, arbitrary: fc.tuple(knife, text).map((parts) => parts.join("")) },
    { weight: 1, arbitrary: fc.tuple(text, knife).map((parts) => parts.join("")) },
  );
}

const name = cut(
  fc.constantFrom(
    "x-a",
    "X-A",
    "x_a",
    "",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "expect",
    "cookie",
    "upgrade",
    "trailer",
    "authorization",
    "x-forwarded-for",
    "x-sallyport-assertion",
    "sallyport-decision",
    ":path",
    ":method",
    ":authority",
    ":status",
    ":x",
  ),
);
const value = cut(
  fc.constantFrom(
    "",
    "a",
    "0",
    "5",
    "chunked",
    "trailers",
    "close",
    "api.example",
    "100-continue",
    "/secret",
  ),
);
/** Most are good: a request with one thing wrong says more than one with ten. */
const field: fc.Arbitrary<Field> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<Field>(["x-a", "b"], ["cookie", "a=b"], ["te", "trailers"]),
  },
  { weight: 1, arbitrary: fc.tuple(name, value) },
);

/** One that a request needs: as it is mostly, else cut, twice, or not at all. */
function pseudo(called: string, honest: fc.Arbitrary<string>): fc.Arbitrary<Field[]> {
  return fc.oneof(
    { weight: 30, arbitrary: honest.map((text): Field[] => [[called, text]]) },
    { weight: 2, arbitrary: cut(honest).map((text): Field[] => [[called, text]]) },
    { weight: 1, arbitrary: fc.constant<Field[]>([]) },
  );
}

const head: fc.Arbitrary<Field[]> = fc
  .tuple(
    pseudo(
      ":method",
      fc.constantFrom("GET", "POST", "PUT", "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"),
    ),
    pseudo(":scheme", fc.constantFrom("http", "https")),
    pseudo(
      ":path",
      fc.constantFrom(
        "/open",
        "/open?x=1",
        "/a/../open",
        "/open//a",
        "/secret",
        "/a/../secret",
        "*",
      ),
    ),
    pseudo(":authority", fc.constantFrom("api.example", "api.example:80", "other.example")),
    fc.array(field, { maxLength: 3 }),
    fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
  )
  .map(([method, scheme, path, authority, more, late]) => {
    const first = [...method, ...scheme, ...path, ...authority];
    return late && more.length > 0 ? [...more, ...first] : [...first, ...more];
  });

const body = fc.option(fc.constantFrom("", "hello", SMUGGLED, `0\r\n\r\n${SMUGGLED}`), {
  nil: undefined,
});
const trailers = fc.option(fc.array(field, { maxLength: 2 }), { nil: undefined, freq: 3 });

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  test(`to ${upstream}: no generated request smuggles another`, async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(head, body, trailers, async (fields, sent, last) => {
        const evidence = await attackFields(stage, fields, {
          ...(sent === undefined ? {} : { body: sent }),
          ...(last === undefined ? {} : { trailers: last }),
        });
        assert.deepEqual(judge(evidence), [], JSON.stringify(fields));
        if (attackStatuses(evidence)[0] === 200) accepted += 1;
        const targets = arrivalsOf(evidence).map(({ target }) => target);
        assert.equal(targets.includes("/secret"), false);
      }),
      { numRuns: RUNS },
    );
    assert.ok(accepted > RUNS / 20, `only ${accepted} were requests at all`);
  });
}
