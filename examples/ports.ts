/** Ports on loopback: the stated one where it is free, else one that the system chooses. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** A port that was free a moment ago. `preferred` 0: any. */
export async function freePort(preferred: number): Promise<number> {
  const found = await tryPort(preferred);
  return found ?? (await tryPort(0)) ?? 0;
}

/**
 * A free port below those that the system gives away by itself, so that nobody takes it before it is opened, or while
 * what opened it is restarted; which one is left to chance, for others look at the same time.
 */
export async function quietPort(): Promise<number> {
  return await freePort(10_000 + randomInt(20_000));
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const got = address === null || typeof address === "string" ? undefined : address.port;
      server.close(() => resolve(got));
    });
  });
}
