import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

/** Behind the HTTP proxy: what it would append for its caller. */
function proxied(world: World, fields: Record<string, string>): Promise<Response> {
  return fetch(`http://${world.address("web")}/wiki`, { headers: fields });
}

/** A header of the PROXY protocol, version 2, for a caller over IPv4 (port 4711). */
function proxyHeader(address: string): Buffer {
  const octets = address.split(".").map(Number);
  const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
  const rest = [0x21, 0x11, 0, 12, ...octets, 127, 0, 0, 1, 0x12, 0x67, 0x1f, 0x91];
  return Buffer.concat([signature, Buffer.from(rest)]);
}

/** Sends bytes to the listener behind the balancer of bytes and takes what comes until it closes. */
async function bytes(world: World, ...parts: (Buffer | string)[]): Promise<string> {
  const [host = "", port = ""] = world.address("bytes").split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  await once(socket, "close");
  return text;
}

const GET = "GET /wiki HTTP/1.1\r\nHost: intranet\r\nConnection: close\r\n\r\n";

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "intranet"),
  tries: [
    {
      shows: "the caller that the proxy names counts for policy, and the service is told anew",
      async run(world) {
        const response = await proxied(world, {
          "x-forwarded-for": "192.0.2.7",
          "x-forwarded-proto": "https",
        });
        assert.equal(response.status, 200);
        const { headers } = (await response.json()) as Seen;
        assert.equal(headers["x-forwarded-for"], "192.0.2.7, 127.0.0.1");
        assert.equal(headers["x-forwarded-proto"], "https");
      },
    },
    {
      shows: "an address that a caller put in front of what the proxy appended gets nobody in",
      async run(world) {
        const response = await proxied(world, { "x-forwarded-for": "192.0.2.7, 203.0.113.9" });
        assert.equal(response.status, 403);
        await response.arrayBuffer();
      },
    },
    {
      shows: "what contradicts itself is refused, not guessed",
      async run(world) {
        const response = await proxied(world, {
          "x-forwarded-for": "192.0.2.7",
          forwarded: "for=203.0.113.9",
        });
        assert.equal(response.status, 400);
        const { reason } = (await response.json()) as { reason: string };
        assert.equal(reason, "invalid-forwarded");
      },
    },
    {
      shows: "limits by address count the callers behind the proxy apart",
      async run(world) {
        const statuses: number[] = [];
        for (const address of ["192.0.2.8", "192.0.2.8", "192.0.2.8", "192.0.2.8", "192.0.2.9"]) {
          const response = await proxied(world, { "x-forwarded-for": address });
          await response.arrayBuffer();
          statuses.push(response.status);
        }
        assert.deepEqual(statuses, [200, 200, 200, 429, 200]);
      },
    },
    {
      shows: "the caller that a PROXY header names counts for policy",
      async run(world) {
        assert.match(await bytes(world, proxyHeader("192.0.2.20"), GET), /^HTTP\/1\.1 200 /);
        assert.match(await bytes(world, proxyHeader("203.0.113.9"), GET), /^HTTP\/1\.1 403 /);
      },
    },
    {
      shows: "a connection without a header, or with one of version 1, gets no answer",
      async run(world) {
        assert.equal(await bytes(world, GET), "");
        assert.equal(await bytes(world, "PROXY TCP4 192.0.2.7 127.0.0.1 4711 8081\r\n", GET), "");
        assert.match(world.log(), /PROXY header/);
      },
    },
  ],
};
