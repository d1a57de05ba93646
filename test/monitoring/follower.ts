/** A proxy on another machine, which was enrolled and follows the authority of the stage. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { quietPort } from "../../examples/ports.ts";
import { admin } from "../cluster/admin.ts";
import { Machine, until } from "../cluster/machine.ts";
import type { Stage } from "../e2e/stage.ts";
import { call, type Part } from "./part.ts";

export interface Follower extends Part {
  /** YAML lines of `authority`. */
  readonly authority: string;
  /** Enrols it and starts it. Settles once it is let in by what the authority has published. */
  start(stage: Stage): Promise<Machine>;
}

export async function makeFollower(
  t: Pick<TestContext, "after">,
  service: string,
): Promise<Follower> {
  const [feed, edge, operators] = [await quietPort(), await quietPort(), await quietPort()];
  const folder = mkdtempSync(join(tmpdir(), "sallyport-follower-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const machine = new Machine(t, {
    name: "edge-1",
    folder,
    admin: `127.0.0.1:${operators}`,
  });
  machine.write(
    "sallyport.yaml",
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:${edge}" }]
admin: { address: "${machine.admin}" }
authority: { feed: ["https://127.0.0.1:${feed}"], identity: identity }
audit: { path: audit }
`,
  );
  return {
    authority: `  serve: { address: "127.0.0.1:${feed}", names: [127.0.0.1] }
  proxies: [{ name: "edge-*", services: [far] }]
`,
    options: {
      services: `  far: { endpoints: ["${service}"] }\n`,
      routes: `  - { name: far, path: "/far/*", service: far, authenticate: [anonymous] }\n`,
    },
    async start(stage) {
      const body = { name: machine.name, kind: "proxy" };
      const answer = await admin(stage, { method: "POST", path: "/v1/workloads", body });
      const { token } = JSON.parse(answer.body) as { readonly token: string };
      machine.write("join-token", token);
      await machine.does("enrol", "--token-file", "join-token");
      await machine.start();
      await until(`${machine.name} is ready`, () => machine.isReady());
      return machine;
    },
    round: (_at, round) => (round % 3 === 0 ? [call(`127.0.0.1:${edge}`, "/far/x")] : []),
  };
}
