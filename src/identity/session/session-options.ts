/** Options of browser sessions: how long they live, where they are kept, and under which keys. */
import { z } from "zod";
import { duration } from "../../model/options.ts";

const LIMITS = {
  chars: 4096,
  /** The current key and those that it took the place of; every rotation before that is long over. */
  keys: 8,
  /** A program and its arguments. */
  words: 64,
} as const;

const pathSchema = z.string().min(1, "a path").max(LIMITS.chars);

/** Where a key of 32 bytes comes from. */
const keySchema = z.union(
  [
    z.strictObject({
      file: pathSchema.describe(
        "File of mode 0600 or less with 32 bytes as base64url, base64 or hex.",
      ),
    }),
    z.strictObject({
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "the name of an environment variable")
        .describe("Name of an environment variable that holds the key."),
    }),
    z.strictObject({
      command: z
        .array(z.string().min(1).max(LIMITS.chars))
        .min(1, "a program")
        .max(LIMITS.words)
        .readonly()
        .describe("Program and its arguments, run without a shell; it prints the key."),
    }),
  ],
  "{ file: … }, { env: … } or { command: [ … ] }",
);

const cookieSchema = z
  .strictObject({
    sameSite: z
      .enum(["lax", "strict"])
      .default("lax")
      .describe(
        "`lax`: a link on another site opens a page with the session. `strict`: it does not; the person looks logged out until the next click. lax when left out.",
      ),
    insecurePlaintext: z
      .boolean()
      .default(false)
      .describe(
        "For development on loopback over plain http: the cookie is called `sallyport-<name>`, without the protection of `__Host-` and without `Secure`. Whoever is on the way can read it, and other ports of the host can set it.",
      ),
  })
  .readonly();

export const sessionSchema = z
  .strictObject({
    keys: z
      .array(keySchema, "a list of { file: … }, { env: … } or { command: [ … ] }")
      .max(LIMITS.keys, `at most ${LIMITS.keys}`)
      .readonly()
      .default([])
      .describe(
        "Keys that sessions are sealed under (AES-256-GCM), 32 random bytes each. The first one seals; all of them open, so a key is changed by putting the new one first and taking the old one away after `absolute`. The same on every worker and replica. None: a random key as long as the process lives, only for a single process; its sessions end with it.",
      ),
    idle: duration({ min: "1m", max: "30d" })
      .prefault("30m")
      .describe(
        "How long a session lasts without a request, from 1m to 30d, 30m when left out. A stream that is open counts as none.",
      ),
    absolute: duration({ min: "1m", max: "90d" })
      .prefault("12h")
      .describe(
        "How long a session lasts at most from its login, from 1m to 90d, 12h when left out. Then the person logs in again.",
      ),
    store: z
      .enum(["cookie", "memory"])
      .default("cookie")
      .describe(
        "Where a session is kept. `cookie`: all of it in the sealed cookie, so that any proxy with the key can read it. `memory`: in the memory that the workers of a machine share (with Redis: all replicas); the cookie holds only its id, and sessions end when that memory is lost.",
      ),
    refreshAhead: duration({ min: "0s", max: "1h" })
      .prefault("1m")
      .describe(
        "How long before its access token expires a session with a refresh token is refreshed in the background, from 0s to 1h, 1m when left out. Requests go on meanwhile.",
      ),
    outage: duration({ min: "0s", max: "24h" })
      .prefault("5m")
      .describe(
        "How long past the expiry of its access token a session goes on with the claims of its last refresh while the provider cannot be reached, from 0s to 24h, 5m when left out. Then 503 `identity-unavailable`, until the provider is back or the session's own lifetime is over.",
      ),
    cookie: cookieSchema.prefault({}).describe("How browsers keep it."),
  })
  .refine(({ idle, absolute }) => idle <= absolute, {
    message: "idle <= absolute",
    path: ["idle"],
  })
  .readonly();

/** Checked; durations in milliseconds. */
export type SessionOptions = z.output<typeof sessionSchema>;
export type SessionKeySource = z.output<typeof keySchema>;
