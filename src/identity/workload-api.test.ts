import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { TestAgent, TestTrustDomain } from "../../test/workload-api.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createWorkloadApiPool } from "./workload-api-pool.ts";
import type { WorkloadPart, WorkloadSource } from "./workload-source.ts";

/** An agent at a socket, and a client of it whose times a test turns. */
class Ground {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  readonly domain = new TestTrustDomain("example.org");
  readonly clock = new ManualClock(Date.now());
  readonly timers = new ManualTimers();
  readonly log = recordedLog();
  readonly metrics = recordedMetrics();
  readonly agent: TestAgent;
  source!: WorkloadSource;
  #changes: WorkloadPart[] = [];
  #heard: (() => void)[] = [];

  constructor() {
    this.agent = new TestAgent(`unix:${this.folder}/agent.sock`);
  }

  open({ id }: { readonly id?: string } = {}): this {
    const { clock, timers, log, metrics } = this;
    const pool = createWorkloadApiPool({ clock, timers, log, metrics });
    this.source = pool.open({ address: `unix:${this.folder}/agent.sock`, id });
    this.source.watch((part) => {
      this.#changes.push(part);
      for (const resolve of this.#heard.splice(0)) resolve();
    });
    return this;
  }

  async changed(part: WorkloadPart): Promise<void> {
    while (!this.#changes.includes(part)) {
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
    this.#changes = this.#changes.filter((one) => one !== part);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.source?.close();
    this.agent.stop();
    await Promise.resolve();
    rmSync(this.folder, { recursive: true });
  }
}

test("createWorkloadApi() holds the default identity when the agent hands several out", async () => {
  await using ground = new Ground().open();
  const { agent, domain, source } = ground;
  await agent.start();
  const first = domain.issue("/proxy");
  agent.serve([first, domain.issue("/other")]);
  await source.want("svid");
  assert.equal(source.svid()?.spiffeId, "spiffe://example.org/proxy");
  assert.equal(source.svid()?.certificatePem, first.certificatePem);
  assert.equal(source.svid()?.keyPem, first.keyPem);
  assert.deepEqual(agent.headers, ["true"]);
  assert.match(source.standing().svid ?? "", /^current: spiffe:\/\/example\.org\/proxy until /);
});
