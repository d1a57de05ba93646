/** Options of the process itself: how it takes a new configuration and how it ends. */
import { z } from "zod";
import { duration } from "../model/options.ts";

export const shutdownSchema = z
  .strictObject({
    delay: duration({ min: "0ms", max: "10m" })
      .prefault("0ms")
      .describe(
        "From the signal to the end of accepting, from 0ms to 10m, 0ms when left out. `/readyz` is 503 in this time and each answer is the last of its connection, so that a balancer that looks at either can turn away before an address is gone.",
      ),
    grace: duration({ min: "0ms", max: "1h" })
      .prefault("30s")
      .describe(
        "How long what is in flight may take to end once nothing is accepted any more, from 0ms to 1h, 30s when left out. What is left then is cut off.",
      ),
  })
  .readonly();

export const reloadSchema = z
  .strictObject({
    watch: z
      .boolean()
      .default(false)
      .describe(
        "Reload by itself when the configuration, a policy or its data has changed and two looks, a second apart, see the same. Swap them at once (a symbolic link that is renamed over, as Kubernetes does): a slow copy could be taken half-way. Without it, SIGHUP reloads.",
      ),
  })
  .readonly();

export const workersSchema = z
  .union(
    [z.literal("auto"), z.int().min(1).max(256)],
    "auto or a number of processes from 1 to 256",
  )
  .default(1)
  .describe(
    "Processes that serve: a number from 1 to 256, or `auto` for one per core that may be used. 1, when left out, is a single process; with more, `sallyport run` supervises them.",
  );

export const supervisorSchema = z
  .strictObject({
    folder: z
      .string()
      .min(1, "a folder, such as run")
      .default("run")
      .describe(
        "Folder of the socket over which supervisor and workers speak, `run` when left out. Made with mode 0700 where it is absent; one that others can enter is refused. One for each `sallyport run`.",
      ),
  })
  .readonly();

export type ShutdownOptions = z.output<typeof shutdownSchema>;
export type ReloadOptions = z.output<typeof reloadSchema>;
