/**
 * The folder in which a supervisor can be found: mode 0700, and in it a socket of mode 0600. Whoever
 * answers there is in charge; a socket that nobody answers is left from a crash, and whoever starts
 * then takes its workers over.
 */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";

const LIMITS = {
  /** Bytes of a socket's path that every system takes (104 on some, 108 on Linux, with its end). */
  path: 103,
} as const;

const OTHERS = 0o077;

export interface RunFolder {
  readonly socket: string;
  /** A supervisor was here and has not ended in order: its workers may be waiting. */
  readonly abandoned: boolean;
  close(): Promise<void>;
}

/** Throws SallyportError `run-folder` with what would be right. */
export async function openRunFolder(
  folder: string,
  onWorker: (socket: Socket) => void,
): Promise<RunFolder> {
  const socket = join(folder, "supervisor.sock");
  makeFolder(folder, socket);
  if (await answers(socket)) {
    throw refused(`${socket} is answered: another sallyport run is in charge of this folder`);
  }
  const abandoned = remove(socket);
  const server = createServer(onWorker);
  await listen(server, socket);
  chmodSync(socket, 0o600);
  return {
    socket,
    abandoned,
    close: () =>
      new Promise((resolve) => {
        // It removes its socket itself.
        server.close(() => resolve());
      }),
  };
}

function makeFolder(folder: string, socket: string): void {
  if (Buffer.byteLength(socket) > LIMITS.path) {
    throw refused(`${socket} is longer than a socket's path can be (${LIMITS.path} bytes)`);
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw refused(`${folder} cannot be made`, cause);
  }
  const stat = lstatSync(folder);
  // Where a link leads is somebody else's choice, and may change.
  if (!stat.isDirectory()) throw refused(`${folder} is a link or a file, not a folder`);
  const { mode, uid } = stat;
  // Root may write into anybody's folder, and its owner would answer there in our place.
  if (uid !== process.geteuid?.()) throw refused(`${folder} belongs to another user`);
  if ((mode & OTHERS) !== 0) throw refused(`${folder} is open to others; it must have mode 0700`);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Whether there was one. */
function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  }).catch((cause: unknown) => {
    throw refused(`${path} cannot be listened on`, cause);
  });
}

function refused(what: string, cause?: unknown): SallyportError {
  const message = `the supervisor's folder: ${what}; name another with supervisor.folder`;
  return new SallyportError("io-failed", message, { cause });
}
