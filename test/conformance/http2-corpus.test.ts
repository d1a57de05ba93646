/**
 * The header blocks of python-hyper/h2 that no endpoint may take, through `sallyport run` over TLS to
 * an HTTP/1.1 recording service: each is a stream or connection error or a 400, nothing of it
 * arrives, and the next good request gets its own answer.
 */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import { corpora } from "../corpora.ts";
import { arrivalsOf, assertHarmless } from "../e2e/expect.ts";
import { startStage } from "../e2e/stage.ts";
import { attackFields, attackStatuses } from "../http2/attack.ts";
import type { Field } from "../http2/hpack.ts";

const file = corpora("http2/h2-invalid-header-blocks.json");

if (file === undefined) {
  test("header blocks of h2", { skip: "the HTTP/2 corpus is absent" }, () => undefined);
} else {
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: Field[][] };
  const stage = await startStage({ tls: true });
  after(() => stage.close());

  test("the corpus is there", () => {
    assert.equal(cases.length, 25);
  });

  test("what the blocks have in common is a good request", async () => {
    const common = (cases[0] ?? []).slice(0, 5);
    const evidence = await attackFields(stage, common, { tls: true });
    assertHarmless(evidence);
    assert.deepEqual(attackStatuses(evidence), [200]);
  });

  for (const [index, fields] of cases.entries()) {
    test(`h2 ${index}: ${JSON.stringify(fields.at(-1))}`, async () => {
      const evidence = await attackFields(stage, fields, { tls: true });
      assertHarmless(evidence);
      const [status = 0] = attackStatuses(evidence);
      assert.ok(status === 0 || status === 400, `status ${status}`);
      assert.deepEqual(
        arrivalsOf(evidence)
          .map(({ target }) => target)
          .filter((target) => target !== "/sentinel"),
        [],
      );
    });
  }
}
