/**
 * Where several proxies hold in common what must be known to all of them. Without it, the processes of
 * one machine do (a supervisor for its workers), and other machines know nothing of it.
 */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { parseRedisUrl } from "./redis-url.ts";

const LIMITS = {
  /** Characters of paths and URLs; no real one comes near. */
  chars: 4096,
} as const;

export const sharedSchema = z
  .strictObject({
    redis: z
      .string()
      .max(LIMITS.chars)
      .refine(
        (text) => parseRedisUrl(text) !== undefined,
        "rediss://user:password@host:6379, redis://… or unix:/path",
      )
      .describe(
        "Redis (6.2 or later) or Valkey: `rediss://user:password@host:6379/0` over TLS, `redis://…` in clear, `unix:/path` on this machine. Write the whole as `${env:NAME}` or `${file:path}`, so that no password is in this file. One server, or a name that leads to the primary; it must not evict keys (`maxmemory-policy noeviction`).",
      ),
    ca: z
      .string()
      .min(1, "the path of a file")
      .max(LIMITS.chars)
      .optional()
      .describe("File in PEM with the authorities of its certificate; the system's when left out."),
    prefix: z
      .string()
      .regex(/^[\x21-\x7e]{1,64}$/, "visible ASCII, such as sallyport:")
      .default("sallyport:")
      .describe("Begins every key, so that others can use the same server."),
    timeout: duration({ min: "10ms", max: "10s" })
      .prefault("500ms")
      .describe(
        "For each answer. A request that needs one that does not come is refused (503 `memory-unavailable`); limits that count across machines do as their `whenAway` says, and quotas go on with what each machine knows. After one that did not come nobody waits until the server is heard again.",
      ),
  })
  .readonly()
  .describe(
    "What all proxies hold in common: used DPoP proofs, nonces, ended sessions, limits with `across: cluster`, and quotas with `usage.across: cluster`. Opened once at start.",
  );

/** Checked; durations in milliseconds. */
export type SharedOptions = z.output<typeof sharedSchema>;
