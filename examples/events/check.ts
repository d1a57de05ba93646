import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { Example } from "../example.ts";
import { startService } from "../services.ts";

/** Responses that the service has begun and not ended. */
const open = new Set<ServerResponse>();

export const example: Example = {
  prepare: (ground) =>
    startService(ground, 9001, "news", (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": open\n\n");
      open.add(response);
      response.on("close", () => open.delete(response));
      return true;
    }),
  tries: [
    {
      shows: "each event arrives when it is sent, long after the timeout",
      async run(world) {
        const reader = await listen(`http://${world.address("edge")}/events/all`);
        const began = performance.now();
        for (let count = 0; performance.now() - began < 1500; count++) {
          for (const response of open) response.write(`data: ${count}\n\n`);
          assert.equal(await reader.read(), `data: ${count}\n\n`);
        }
        await reader.cancel();
      },
    },
    {
      shows: "a route without lifetime cuts the same response off when its timeout is over",
      async run(world) {
        const reader = await listen(`http://${world.address("edge")}/reports/all`);
        await assert.rejects(reader.read());
      },
    },
  ],
};

async function listen(url: string): Promise<{
  read(): Promise<string>;
  cancel(): Promise<void>;
}> {
  const response = await fetch(url);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("a response without a body");
  const read = async (): Promise<string> => {
    const { value, done } = await reader.read();
    if (done) throw new Error("the response has ended");
    return Buffer.from(value as Uint8Array).toString();
  };
  assert.equal(await read(), ": open\n\n");
  return { read, cancel: () => reader.cancel() };
}
