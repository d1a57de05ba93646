/**
 * Between a client and a server: holds up what clients send from a text on, goes silent as a machine
 * that lost its network does, or swallows notifications as a pooler does.
 */
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** First byte of PostgreSQL's NotificationResponse (protocol 3.0, section 55.7). */
const NOTIFICATION = 0x41;

export interface TcpProxy {
  readonly port: number;
  /** From now on, what a client sends waits from the first chunk on that holds this text. */
  hold(text: string): void;
  /** Resolves once something waits. */
  held(): Promise<void>;
  /** Lets go what waits, and holds nothing more. */
  release(): void;
  /** Nothing passes either way, and nobody is told. */
  silence(): void;
  /** Ends the connections that are there; later ones work as at first. */
  reset(): void;
  /** Notifications of the server do not arrive from now on, or do. */
  swallow(on: boolean): void;
  /** How many connections are there. */
  readonly connections: number;
}

export async function tcpProxy(t: TestContext, target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const waiting: (() => void)[] = [];
  let holding: string | undefined;
  let { promise: held, resolve: hasHeld } = Promise.withResolvers<void>();
  let silent = false;
  let swallowing = false;

  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const pair = [client, upstream] as const;
    pairs.add(pair);
    let holdsThis = false;
    for (const socket of pair) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
    client.on("data", (chunk: Buffer) => {
      if (silent) return;
      if (!holdsThis && holding !== undefined && chunk.includes(holding)) {
        holdsThis = true;
        hasHeld();
      }
      if (!holdsThis) {
        upstream.write(chunk);
        return;
      }
      waiting.push(() => {
        holdsThis = false;
        upstream.write(chunk);
      });
    });
    const messages = messageFilter(() => swallowing);
    upstream.on("data", (chunk: Buffer) => {
      if (!silent) client.write(messages(chunk));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const reset = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  t.after(() => {
    server.close();
    reset();
  });
  return {
    port: (server.address() as AddressInfo).port,
    hold: (text) => {
      ({ promise: held, resolve: hasHeld } = Promise.withResolvers<void>());
      holding = text;
    },
    held: () => held,
    release: () => {
      holding = undefined;
      for (const go of waiting.splice(0)) go();
    },
    silence: () => {
      silent = true;
    },
    reset: () => {
      silent = false;
      reset();
    },
    swallow: (on) => {
      swallowing = on;
    },
    get connections() {
      return pairs.size;
    },
  };
}

/** Cuts the server's stream into messages, and leaves notifications out while it is told to. */
function messageFilter(swallowing: () => boolean): (chunk: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const passed: Buffer[] = [];
    while (rest.length >= 5) {
      const length = 1 + rest.readUInt32BE(1);
      if (rest.length < length) break;
      if (rest[0] !== NOTIFICATION || !swallowing()) passed.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    return Buffer.concat(passed);
  };
}
