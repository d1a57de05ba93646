/** Somebody else holds the lock of the authority's database at times, until two changes were refused. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { admin } from "../cluster/admin.ts";
import type { Stage } from "../e2e/stage.ts";
import type { Part } from "./part.ts";

/** Where the stage has it. */
export const DATABASE = "state/store.db";

const LOCK = fileURLToPath(new URL("../store/sqlite-lock.ts", import.meta.url));

export const FAILING_STORE: Part = {
  options: {},
  aside: ({ stage }, round) => (round % 300 === 30 ? [changeInVain(stage)] : []),
};

async function changeInVain(stage: Stage): Promise<void> {
  const lock = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", LOCK, join(stage.folder, DATABASE)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = once(lock, "exit");
  try {
    const taken = once(lock.stdout, "data").then(() => true);
    if (!(await Promise.race([taken, ended.then(() => false)]))) throw new Error("no lock");
    for (const subject of ["late", "later"]) {
      const body = { target: { kind: "subject", authenticator: "test", subject }, mode: "block" };
      const { status } = await admin(stage, { method: "POST", path: "/v1/revocations", body });
      if (status !== 503) throw new Error(`of a locked store the admin API answers ${status}`);
    }
  } finally {
    lock.stdin.end();
    await ended;
  }
}
