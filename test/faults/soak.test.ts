/**
 * Good traffic, failing services, failing callers and reloads at once. What is good is answered, all
 * of it; at the end everything is as it was, and each request has one decision and one completion.
 */
import { strict as assert } from "node:assert";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { RawConnection } from "../e2e/raw-connection.ts";
import { requestBytes } from "../e2e/stage.ts";
import { readResponses } from "../e2e/strict-http1.ts";
import { type Counts, countsOf, countsOnce, COUNTS_ABSENT, metricOf } from "./counts.ts";
import { startFaultStage } from "./fault-stage.ts";
import { mixedExchange } from "./mixed.ts";

const LIMITS = {
  /** Each compiles the configuration anew on a thread of its own. */
  reloads: 6,
  good: 3,
  faulty: 6,
  /**
   * Bytes by which the second half may grow the process. A snapshot with its policies and pools is
   * some 2 MB, so three that stayed would show among what the collectors leave only where they are
   * larger; descriptors and connections show the rest.
   */
  growth: 48 * 1024 * 1024,
} as const;

const stage = await startFaultStage();
after(() => stage.close());

async function ask(connection: RawConnection, target: string): Promise<number> {
  const from = connection.text.length;
  connection.write(requestBytes(target));
  const answer = (): number | undefined =>
    readResponses(connection.text.slice(from), ["GET"], false).messages[0]?.status;
  await connection.until(() => connection.closed || answer() !== undefined);
  return answer() ?? 0;
}

test(
  "faults, reloads and good traffic at once leave nothing behind",
  { skip: COUNTS_ABSENT },
  async (t) => {
    const load = { running: true };
    let good = 0;
    let faulty = 0;
    const wrong: string[] = [];
    const goodLane = async (): Promise<void> => {
      let connection = await RawConnection.open(stage.proxy);
      for (let turn = 0; load.running; turn += 1) {
        // Now and then a new connection: what is kept alive for long is not all there is.
        if (turn % 200 === 199) {
          connection.destroy();
          connection = await RawConnection.open(stage.proxy);
        }
        good += 1;
        const status = await ask(connection, `/good/${good}`);
        if (status !== 200) wrong.push(`/good/${good}: ${status}`);
        if (connection.closed) connection = await RawConnection.open(stage.proxy);
      }
      connection.destroy();
    };
    const faultyLane = async (): Promise<void> => {
      while (load.running) {
        faulty += 1;
        await mixedExchange(stage.proxy, faulty);
      }
    };
    const reload = async (number: number): Promise<void> => {
      appendFileSync(join(stage.folder, "sallyport.yaml"), `# ${number}\n`);
      process.kill(stage.pid, "SIGHUP");
      while ((await metricOf(stage, "sallyport_reloads_total")) < number) {
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
      }
    };
    const half = async (first: number): Promise<Counts> => {
      load.running = true;
      const lanes = [
        ...Array.from({ length: LIMITS.good }, goodLane),
        ...Array.from({ length: LIMITS.faulty }, faultyLane),
      ];
      for (let index = 0; index < LIMITS.reloads / 2; index += 1) await reload(first + index);
      load.running = false;
      await Promise.all(lanes);
      return countsOnce(
        stage,
        ({ connections, descriptors }) => connections === 0 && descriptors <= before.descriptors,
      );
    };
    const before = await countsOf(stage);
    const first = await half(1);
    const second = await half(1 + LIMITS.reloads / 2);
    t.diagnostic(JSON.stringify({ good, faulty, before, first, second }));
    assert.deepEqual(wrong, []);
    assert.ok(good > 200 && faulty > 200, `${good} good, ${faulty} faulty`);
    for (const counts of [first, second]) {
      assert.equal(counts.connections, 0);
      assert.ok(counts.descriptors <= before.descriptors, JSON.stringify({ before, counts }));
    }
    assert.ok(second.resident - first.resident < LIMITS.growth, JSON.stringify({ first, second }));
    assert.equal(stage.rogue.open, 0);

    const begun = await stage.endings([]);
    const endings = await stage.endings([...begun.keys()]);
    const ofGood = [...endings].filter(([path]) => path.startsWith("/good/"));
    assert.equal(ofGood.length, good);
    assert.ok(ofGood.every(([, { ends }]) => ends.length === 1 && ends[0] === "complete"));
    const own = [...endings].filter(([path]) => /^\/(?:fault|refusing)\//.test(path));
    const odd = own.filter(([, { decisions, ends }]) => decisions.length !== ends.length);
    assert.deepEqual(odd, []);
    assert.equal(await metricOf(stage, "sallyport_audit_lost_total"), 0);
  },
);
