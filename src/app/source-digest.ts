/**
 * Whether policies, or their tests, are those of the last time: a digest of all that they are. In slices,
 * since it is made on the thread that serves, and data files may have megabytes.
 */
import { createHash, type Hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { PolicyTests } from "../config/policy-tests.ts";
import type { PolicyFile, PolicySource } from "../policy/policy-source.ts";

export const DIGEST_LIMITS = {
  /** Characters between turns of the event loop: half a millisecond; eight times as many took twenty. */
  chars: 128 * 1024,
  /** Operations or routes between turns: likewise. */
  items: 50,
} as const;

/** Lets the event loop run. */
type Pause = () => Promise<unknown>;

/** Of all that the official engine is given. */
export async function sourceDigest(
  { files, vocabulary }: PolicySource,
  pause: Pause = setImmediate,
): Promise<string> {
  const digest = new SlicedDigest(pause);
  await digest.files(files);
  const { services, routes, ...rest } = vocabulary;
  digest.value(rest);
  for (const { operations, ...service } of services) {
    digest.value(service);
    if (operations !== undefined) await digest.values(operations);
  }
  await digest.values(routes);
  return digest.end();
}

/** Of all that the cases are read against beside the policies. */
export async function testsDigest(
  { files, routes, ...world }: PolicyTests,
  pause: Pause = setImmediate,
): Promise<string> {
  const digest = new SlicedDigest(pause);
  await digest.files(files);
  digest.value(world);
  await digest.values(routes);
  return digest.end();
}

class SlicedDigest {
  readonly #hash: Hash = createHash("sha256");
  readonly #pause: Pause;
  #chars = 0;

  constructor(pause: Pause) {
    this.#pause = pause;
  }

  async files(files: readonly PolicyFile[]): Promise<void> {
    this.#hash.update(`${files.length}:`);
    for (const { name, text } of files) {
      this.#hash.update(`${name.length}:${name}${text.length}:`);
      for (let from = 0; from < text.length;) {
        const piece = text.slice(from, from + DIGEST_LIMITS.chars - this.#chars);
        // As UTF-16, in which no cut falls into a character.
        this.#hash.update(piece, "utf16le");
        from += piece.length;
        this.#chars += piece.length;
        if (this.#chars === DIGEST_LIMITS.chars) await this.#turn();
      }
    }
  }

  value(value: unknown): void {
    const text = JSON.stringify(value, exact);
    this.#hash.update(`${text.length}:${text}`);
  }

  async values(values: readonly unknown[]): Promise<void> {
    this.#hash.update(`${values.length}:`);
    for (let from = 0; from < values.length; from += DIGEST_LIMITS.items) {
      if (from > 0) await this.#turn();
      this.value(values.slice(from, from + DIGEST_LIMITS.items));
    }
  }

  end(): string {
    return this.#hash.digest("base64url");
  }

  async #turn(): Promise<void> {
    this.#chars = 0;
    await this.#pause();
  }
}

function exact(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${String(value)}n` : value;
}
