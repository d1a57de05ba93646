/**
 * The folder in which a supervisor can be found: mode 0700, and in it a socket of mode 0600. Whoever
 * answers there is in charge; a socket that nobody answers is left from a crash, and whoever starts
 * then takes its workers over.
 */
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import { listenAtSocketFile, type SocketFile } from "../../platform/socket-file.ts";

export interface RunFolder {
  readonly socket: string;
  /** A supervisor was here and has not ended in order: its workers may be waiting. */
  readonly abandoned: boolean;
  close(): Promise<void>;
}

/** Throws SallyportError `io-failed` with what would be right. */
export async function openRunFolder(
  folder: string,
  onWorker: (socket: Socket) => void,
): Promise<RunFolder> {
  const socket = join(folder, "supervisor.sock");
  const server = createServer(onWorker);
  let file: SocketFile;
  try {
    file = await listenAtSocketFile(server, socket, { closed: true });
  } catch (cause) {
    const why = cause instanceof SallyportError ? cause.message : String(cause);
    const message = `the supervisor's folder: ${why}; name another with supervisor.folder`;
    throw new SallyportError("io-failed", message, { cause });
  }
  return {
    socket,
    abandoned: file.abandoned,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          file.remove();
          resolve();
        });
      }),
  };
}
