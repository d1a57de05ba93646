/**
 * A Unix socket that only its owner can open: mode 0600 from the moment that it can be found, in a
 * folder that nobody else can write to.
 *
 * It is bound in a folder of its own that others cannot enter, and moved to its place when its mode
 * is right: bound in place, it would be open to all for as long as `chmod` takes. What lies there is
 * replaced only if it is a socket that nobody answers; what somebody answers is in use.
 */
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { SallyportError } from "../model/errors.ts";

const LIMITS = {
  /** Bytes of a socket's path that every system takes (104 on some, 108 on Linux, with its end). */
  path: 103,
} as const;

/** What others must not be able to do with the folder: they could put a socket of theirs in our place. */
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;

export interface SocketFileOptions {
  /** Refuses a folder that others can enter or list, too. */
  readonly closed?: boolean;
}

export interface SocketFile {
  /** One was there that nobody answered: who made it has not ended in order. */
  readonly abandoned: boolean;
  /** Removes it, unless another has taken its place. To be called when the server is closed. */
  remove(): void;
}

/** Makes the server listen at `path`. Throws SallyportError `listen-failed` with what would be right. */
export async function listenAtSocketFile(
  server: Server,
  path: string,
  { closed = false }: SocketFileOptions = {},
): Promise<SocketFile> {
  const folder = dirname(path);
  makeFolder(path, { folder, closed });
  const found = statOf(path);
  if (found !== undefined && !found.isSocket()) throw refused(path, "something else lies there");
  if (found !== undefined && (await answers(path))) {
    throw refused(path, "it is answered: another sallyport run is there");
  }
  const own = mkdtempSync(join(folder, "."));
  const bound = join(own, "s");
  if (Buffer.byteLength(bound) > LIMITS.path || Buffer.byteLength(path) > LIMITS.path) {
    rmSync(own, { recursive: true, force: true });
    throw refused(path, `it is longer than a socket's path can be (${LIMITS.path} bytes)`);
  }
  try {
    await listening(server, bound);
    chmodSync(bound, 0o600);
    const { ino } = lstatSync(bound);
    renameSync(bound, path);
    return {
      abandoned: found !== undefined,
      remove() {
        if (statOf(path)?.ino === ino) rmSync(path, { force: true });
      },
    };
  } catch (cause) {
    server.close();
    const { code = "failed" } = cause as NodeJS.ErrnoException;
    throw refused(path, `it cannot be listened on (${code})`, cause);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function makeFolder(
  path: string,
  { folder, closed }: { readonly folder: string; readonly closed: boolean },
): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw refused(path, "its folder cannot be made", cause);
  }
  const stat = lstatSync(folder);
  // Where a link leads is somebody else's choice, and may change.
  if (!stat.isDirectory()) throw refused(path, "its folder is a link or a file");
  // Root may write into anybody's folder, and its owner would answer there in our place.
  if (stat.uid !== process.geteuid?.()) throw refused(path, "its folder belongs to another user");
  if (closed && (stat.mode & OPEN_TO_OTHERS) !== 0) {
    throw refused(path, "its folder is open to others; it must have mode 0700");
  }
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw refused(path, "its folder can be written to by others; chmod go-w");
  }
}

function statOf(path: string): ReturnType<typeof lstatSync> | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
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

async function listening(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function refused(path: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError("listen-failed", `the socket ${path} cannot be had: ${why}`, { cause });
}
