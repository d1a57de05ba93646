/** Ports on loopback: the stated one where it is free, else one that the system chooses. */
import { createServer } from "node:net";

/** A port that was free a moment ago. `preferred` 0: any. */
export async function freePort(preferred: number): Promise<number> {
  const found = await tryPort(preferred);
  return found ?? (await tryPort(0)) ?? 0;
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
