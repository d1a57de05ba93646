/**
 * The paths of Istio's and Envoy's tests, end to end, over plain connections and over TLS,
 * with HTTP/1.1 and with HTTP/2: the path that
 * policy sees and the log names is the path that the service gets, and it reads one way only;
 * everything else is refused.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, statusesOf } from "./expect.ts";
import { testOverEach } from "./over-each.ts";
import { foreignPaths } from "./foreign-paths.ts";
import { requestBytes, startStage } from "./stage.ts";

const paths = foreignPaths();

if (paths === undefined) {
  test("paths of Istio and Envoy", { skip: "the corpora are not here" }, () => undefined);
} else {
  for (const over of ["plain", "tls"]) {
    const stage = await startStage({ tls: over === "tls" });
    after(() => stage.close());
    for (const path of paths) {
      testOverEach(stage, `${over}: path ${JSON.stringify(path)}`, async ({ attack }) => {
        const evidence = await attack(requestBytes(path));
        assertHarmless(evidence);
        const [status = 0] = statusesOf(evidence);
        assert.ok([200, 400].includes(status), `status ${status}`);
      });
    }
  }
}
