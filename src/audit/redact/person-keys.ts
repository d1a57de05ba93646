/**
 * The keys of redacted values: 32 random bytes for each person, one file each under `<audit>/people/`,
 * named by a keyed hash of who it is. Throwing the file away makes all that was written of the person
 * meaningless, and nothing of anybody else.
 *
 * Synchronous, because a record is written in one go: a file is read or made when a person is first seen.
 * Refuses a key that others could read.
 */
import { createHmac, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import type { Clock } from "../../model/ports.ts";
import { codeOf } from "../files.ts";

const LIMITS = {
  /** Keys in memory, some hundred bytes each; forgotten all at once when there are more. */
  people: 100_000,
  /** Milliseconds after which an erasure by another process is seen. docs/audit.md names it. */
  look: 1000,
  key: 32,
} as const;

/** Permission bits of group and others. */
const OTHERS = 0o077;

export interface Person {
  readonly authenticator: string;
  readonly subject: string;
}

export class PersonKeys {
  readonly #folder: string;
  readonly #valuesKey: Uint8Array;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #known = new Map<string, Uint8Array>();
  #lookedMs = -Infinity;
  #generation = "";

  /** `folder` is that of the log; `valuesKey` its `values.key`. */
  constructor(folder: string, valuesKey: Uint8Array, clock: Pick<Clock, "monotonic">) {
    this.#folder = join(folder, "people");
    this.#valuesKey = valuesKey;
    this.#clock = clock;
  }

  /**
   * Another value than before once somebody was erased, within a second of it: what was made of keys
   * before that is to be forgotten.
   */
  generation(): string {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lookedMs < LIMITS.look) return this.#generation;
    this.#lookedMs = nowMs;
    const figures = statSync(this.#generationFile(), { throwIfNoEntry: false });
    const found = figures === undefined ? "" : `${figures.ino} ${figures.mtimeMs}`;
    if (found !== this.#generation) this.#known.clear();
    this.#generation = found;
    return found;
  }

  /** Made where there is none. Throws SallyportError `audit-failed`. */
  keyOf(person: Person): Uint8Array {
    const id = `${person.authenticator}\0${person.subject}`;
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const path = this.#pathOf(person);
    const key = readKey(path) ?? makeKey(path);
    if (this.#known.size >= LIMITS.people) this.#known.clear();
    this.#known.set(id, key);
    return key;
  }

  /** Undefined where there is none. */
  find(person: Person): Uint8Array | undefined {
    return readKey(this.#pathOf(person));
  }

  /** For good. False where there was none. */
  erase(person: Person): boolean {
    const path = this.#pathOf(person);
    if (readKey(path) === undefined) return false;
    // Overwritten first: a name that is gone leaves bytes behind.
    writeFileSync(path, randomBytes(LIMITS.key), { flush: true });
    rmSync(path);
    const draft = `${this.#generationFile()}.${randomBytes(6).toString("hex")}`;
    writeFileSync(draft, "", { flag: "wx", mode: 0o600 });
    rmSync(this.#generationFile(), { force: true });
    linkSync(draft, this.#generationFile());
    rmSync(draft);
    this.#known.clear();
    return true;
  }

  #generationFile(): string {
    return join(this.#folder, "erased");
  }

  #pathOf({ authenticator, subject }: Person): string {
    const hmac = createHmac("sha256", this.#valuesKey);
    const name = hmac.update(`person\0${authenticator}\0${subject}`, "utf8").digest("hex");
    return join(this.#folder, name.slice(0, 3), name);
  }
}

function readKey(path: string): Uint8Array | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw failed(path, `cannot be read (${codeOf(error) ?? "unknown"})`, error);
  }
  try {
    if ((fstatSync(file).mode & OTHERS) !== 0) {
      throw failed(path, "can be read by others; chmod it to 0600");
    }
    const key = readFileSync(file);
    // A crash of the machine can leave a file without its bytes: nothing that was written by it can be joined.
    return key.length === LIMITS.key ? key : undefined;
  } finally {
    closeSync(file);
  }
}

/** Written whole under another name and then linked: workers that see a person at once agree on one key. */
function makeKey(path: string): Uint8Array {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, randomBytes(LIMITS.key), { flag: "wx", mode: 0o600 });
    if (statSync(path, { throwIfNoEntry: false }) !== undefined && readKey(path) === undefined) {
      rmSync(path, { force: true });
    }
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") {
      throw failed(path, `cannot be made (${codeOf(error) ?? "unknown"})`, error);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readKey(path);
  if (key === undefined) throw failed(path, "holds no key");
  return key;
}

function failed(path: string, what: string, cause?: unknown): SallyportError {
  return new SallyportError("audit-failed", `audit: the key of a person, ${path}, ${what}`, {
    cause,
  });
}
