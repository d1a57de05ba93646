/** Opens TLS connections one after another, some at a time, and closes each when it is secure. */
import { once } from "node:events";
import { connect } from "node:tls";

export interface HandshakeRun {
  readonly port: number;
  readonly count: number;
  readonly connections: number;
  /** What `takeSession` gave, to be resumed; undefined for whole handshakes. */
  readonly session: Buffer | undefined;
}

/** Resolves to how many of them resumed the session. */
export async function shakeHands(run: HandshakeRun): Promise<number> {
  let left = run.count;
  let resumed = 0;
  await Promise.all(
    Array.from({ length: run.connections }, async () => {
      while (left-- > 0) {
        const socket = connect(optionsOf(run));
        await once(socket, "secureConnect");
        if (socket.isSessionReused()) resumed += 1;
        socket.destroy();
      }
    }),
  );
  return resumed;
}

/** A session of a connection of its own, once the server has given one. */
export async function takeSession(port: number): Promise<Buffer> {
  const socket = connect(optionsOf({ port, session: undefined }));
  const [session] = (await once(socket, "session")) as [Buffer];
  socket.destroy();
  return session;
}

function optionsOf({ port, session }: Pick<HandshakeRun, "port" | "session">) {
  return {
    host: "127.0.0.1",
    port,
    servername: "localhost",
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  };
}
