import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Example } from "../example.ts";
import { NotSwitched, startEchoService, WebSocketClient } from "../websocket-service.ts";

/** What is added to the policies while connections are open. */
const CLOSED_ROOM = `
@id("the-vault-is-closed")
forbid (principal, action, resource) when { context.path == "/chat/vault" };
`;

export const example: Example = {
  async prepare(ground) {
    const service = await startEchoService({ port: ground.port(9001) });
    ground.onEnd(() => service.close());
  },
  tries: [
    {
      shows: "the WebSocket that every runtime and browser has gets through",
      async run(world) {
        const socket = new WebSocket(`ws://${world.address("edge")}/chat/lobby`);
        const said = await new Promise((resolve, reject) => {
          socket.addEventListener("open", () => socket.send("hello"));
          socket.addEventListener("message", ({ data }) => resolve(data));
          socket.addEventListener("error", () => reject(new Error("no WebSocket")));
        });
        assert.equal(said, "hello");
        socket.close();
      },
    },
    {
      shows: "a route that does not list websocket refuses it, and says so",
      async run(world) {
        const refused = await WebSocketClient.open(world.address("edge"), "/pages/a").catch(
          (error: unknown) => error,
        );
        assert.ok(refused instanceof NotSwitched);
        assert.equal(refused.status, 403);
        assert.match(refused.head, /"reason":"upgrade-not-allowed"/);
      },
    },
    {
      shows: "a new policy closes the connections that it denies, and leaves the others open",
      async run(world) {
        const vault = await WebSocketClient.open(world.address("edge"), "/chat/vault");
        const lobby = await WebSocketClient.open(world.address("edge"), "/chat/lobby");
        assert.equal(await vault.echo("before"), "before");
        appendFileSync(join(world.folder, "policies", "chat.cedar"), CLOSED_ROOM);
        process.kill(world.proxy.pid, "SIGHUP");
        assert.deepEqual(await vault.ended, { code: 1008, reason: "forbidden" });
        assert.equal(await lobby.echo("still open"), "still open");
        lobby.close();
      },
    },
  ],
};
