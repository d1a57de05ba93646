/**
 * What the workers of one machine hold in common lies in their supervisor, and a worker asks it for each
 * verb. Without one nothing is known and nothing is claimed: a proof that could have been used at another
 * worker is not taken.
 */
import type { LocalMemory } from "../../memory/local-memory.ts";
import { type ErrorCode, SallyportError } from "../../model/errors.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";

const LIMITS = {
  /** As the memory itself has them; what is longer is no message of a worker. */
  keyChars: 512,
  valueChars: 256 * 1024,
  ttlMs: 31 * 86_400_000,
} as const;

export const MEMORY_VERBS = ["claim", "agree", "get", "put", "remove"] as const;

export interface MemoryRequest {
  readonly verb: (typeof MEMORY_VERBS)[number];
  readonly space: string;
  readonly key: string;
  /** Of `agree` and `put`. */
  readonly value?: string;
  /** Of `claim`, `agree` and `put`: whole milliseconds. */
  readonly ttlMs?: number;
}

export interface MemoryAnswer {
  /** Of `claim`. */
  readonly first?: boolean;
  /** Of `agree` and `get`. */
  readonly value?: string;
  readonly fault?: ErrorCode;
  /** `SharedMemory.since` of the supervisor. */
  readonly since: number;
}

/** Whether it is one, looked at as closely as its answerer needs. */
export function isMemoryRequest(of: Readonly<Record<string, unknown>>): boolean {
  const { verb, space, key, value, ttlMs } = of;
  return (
    MEMORY_VERBS.some((known) => known === verb) &&
    typeof space === "string" &&
    /^[a-z][a-z0-9-]{0,62}$/.test(space) &&
    isText(key, LIMITS.keyChars) &&
    (verb === "agree" || verb === "put" ? isText(value, LIMITS.valueChars) : value === undefined) &&
    (verb === "get" || verb === "remove" ? ttlMs === undefined : isLifetime(ttlMs))
  );
}

function isText(value: unknown, most: number): boolean {
  return typeof value === "string" && value.length <= most;
}

function isLifetime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= LIMITS.ttlMs;
}

/** The supervisor's side. `since`: 0, or when it took over from one that had not ended in order. */
export function answerFrom(
  memory: LocalMemory,
  request: MemoryRequest,
  since: number,
): MemoryAnswer {
  try {
    return { ...done(memory, request), since };
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { fault: error.code, since };
  }
}

function done(
  memory: LocalMemory,
  { verb, space, key, value = "", ttlMs = 0 }: MemoryRequest,
): Omit<MemoryAnswer, "since"> {
  if (verb === "claim") return { first: memory.claim(space, key, ttlMs) };
  if (verb === "agree") return { value: memory.agree(space, key, value, ttlMs) };
  if (verb === "put") memory.put(space, key, value, ttlMs);
  if (verb === "remove") memory.remove(space, key);
  const found = verb === "get" ? memory.get(space, key) : undefined;
  return found === undefined ? {} : { value: found };
}

/** What a worker reaches its supervisor by; undefined answers mean that it is gone. */
export interface MemorySource {
  readonly connected: boolean;
  /** When this worker lost its last supervisor, and what that one remembered; 0: never. */
  readonly lostAt: number;
  remember(request: MemoryRequest): Promise<MemoryAnswer | undefined>;
}

/** The worker's side. */
export function supervisedMemory(source: MemorySource): SharedMemory {
  let told = 0;
  async function ask(request: MemoryRequest): Promise<MemoryAnswer> {
    const answer = source.connected ? await source.remember(request) : undefined;
    if (answer === undefined) {
      const message = "the supervisor, which remembers for its workers, is gone or does not answer";
      throw new SallyportError("memory-unavailable", message);
    }
    told = Math.max(told, answer.since);
    if (answer.fault === undefined) return answer;
    throw new SallyportError(answer.fault, `the supervisor's memory ${request.space} is full`);
  }
  return {
    get since() {
      return Math.max(told, source.lostAt);
    },
    async claim(space, key, ttlMs) {
      const { first } = await ask({ verb: "claim", space, key, ttlMs: Math.ceil(ttlMs) });
      return first === true;
    },
    async agree(space, key, value, ttlMs) {
      const answer = await ask({ verb: "agree", space, key, value, ttlMs: Math.ceil(ttlMs) });
      if (answer.value === undefined) {
        throw new SallyportError("memory-unavailable", "the supervisor agrees to nothing");
      }
      return answer.value;
    },
    async get(space, key) {
      return (await ask({ verb: "get", space, key })).value;
    },
    async put(space, key, value, ttlMs) {
      await ask({ verb: "put", space, key, value, ttlMs: Math.ceil(ttlMs) });
    },
    async remove(space, key) {
      await ask({ verb: "remove", space, key });
    },
  };
}
