import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const LIMITS = {
  /** Milliseconds until what was asked has to be sealed, on a busy machine. */
  sealed: 60_000,
  /** Milliseconds between two looks. */
  look: 100,
} as const;

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const CORPORA =
  process.env["SALLYPORT_CORPORA"] ??
  fileURLToPath(new URL("../../../shared/corpora", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

/** Decision of the first request, which the other tries are about. */
let decision = "";

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "catalogue"),
  tries: [
    {
      shows: "what was asked is sealed, and `sallyport audit verify` finds it whole",
      async run(world) {
        for (let asked = 0; asked < 20; asked++) {
          const response = await fetch(`http://${world.address("edge")}/catalogue/items`);
          await response.arrayBuffer();
          if (asked === 0) decision = response.headers.get("sallyport-decision") ?? "";
        }
        await sealed(world, 40);
        const { status, stdout } = sallyport(world, "verify", "data/audit", "--key", keyOf(world));
        assert.equal(status, 0, stdout);
        assert.match(stdout, /^whole$/m);
      },
    },
    {
      shows: "one record is proven to somebody who has nothing but the key",
      run(world) {
        assert.equal(sallyport(world, "prove", decision, "--out", "one").status, 0);
        const proof = ["one.tlog-proof", "--record", "one.record", "--key", keyOf(world)];
        assert.equal(sallyport(world, "verify-proof", ...proof).status, 0);
        return Promise.resolve();
      },
    },
    python(
      "the log and the proof hold for a verifier in Python that shares no code with us",
      (world) => {
        holds(world, "log", "data/audit", keyOf(world));
        holds(world, "proof", "one.tlog-proof", "one.record", keyOf(world));
      },
    ),
    python("it agrees on the public corpus of proofs, where that is there", (world) => {
      const corpus = join(CORPORA, "audit/merkle");
      if (existsSync(corpus)) holds(world, "corpora", corpus);
      else process.stdout.write("    (there is no corpus beside the checkout)\n");
    }),
    {
      shows: "a record that is changed by one letter is found by both",
      async run(world) {
        await world.proxy.stop();
        const audit = join(world.folder, "data/audit");
        const [segment = ""] = readdirSync(audit).filter((name) => name.endsWith(".jsonl"));
        const path = join(audit, segment);
        writeFileSync(
          path,
          readFileSync(path, "utf8").replace("/catalogue/items", "/catalogue/itemz"),
        );
        const { status, stdout } = sallyport(world, "verify", "data/audit", "--key", keyOf(world));
        assert.equal(status, 1);
        assert.match(stdout, new RegExp(`FAULT altered: ${segment}, line 1, byte 0`));
        if (hasPython) assert.equal(verifier(world, "log", "data/audit", keyOf(world)).status, 1);
      },
    },
  ],
};

function python(shows: string, run: (world: World) => void): Example["tries"][number] {
  return {
    shows: hasPython ? shows : `(skipped: there is no python3 here) ${shows}`,
    run: (world) => {
      if (hasPython) run(world);
      return Promise.resolve();
    },
  };
}

/** Until so many records are under a checkpoint. */
async function sealed(world: World, records: number): Promise<void> {
  const deadline = performance.now() + LIMITS.sealed;
  for (;;) {
    const { stdout } = sallyport(world, "verify", "data/audit", "--format", "json");
    const report = stdout === "" ? { records: 0 } : (JSON.parse(stdout) as { records: number });
    if (report.records >= records) return;
    if (performance.now() > deadline) throw new Error(`only ${report.records} records are sealed`);
    await new Promise((resolve) => setTimeout(resolve, LIMITS.look));
  }
}

function keyOf(world: World): string {
  return readFileSync(join(world.folder, "data/audit/tree/checkpoint.pub"), "utf8").trim();
}

function sallyport(world: World, ...args: string[]) {
  return spawnSync(SALLYPORT, ["audit", ...args], { cwd: world.folder, encoding: "utf8" });
}

function verifier(world: World, ...args: string[]) {
  return spawnSync("python3", ["verify.py", ...args], { cwd: world.folder, encoding: "utf8" });
}

function holds(world: World, ...args: string[]): void {
  const { status, stdout, stderr } = verifier(world, ...args);
  assert.equal(status, 0, stdout + stderr);
}
