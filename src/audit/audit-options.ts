/**
 * Options of the audit log: where the record of decisions lies, how soon it is on disk, and what is
 * kept back so that neither strangers nor a full disk can push it aside.
 */
import { z } from "zod";
import { redactSchema } from "./redact/redact-options.ts";
import { byteSize, duration } from "../model/options.ts";
import { checkpointSchema } from "./tree/checkpoint-options.ts";
import { sinksSchema } from "./sinks/sink-options.ts";

const LIMITS = {
  /** Names in `query.keep`: a list that a person writes. */
  keptNames: 256,
} as const;

const querySchema = z
  .strictObject({
    values: z
      .enum(["masked", "kept"])
      .default("masked")
      .describe(
        "`masked`: a record holds the names of the query, each value as `*`. `kept`: values as they came, except under names that usually hold secrets (docs/audit.md lists them).",
      ),
    keep: z
      .array(z.string().min(1).max(64), "a list of query names")
      .max(LIMITS.keptNames, `at most ${LIMITS.keptNames} names`)
      .readonly()
      .prefault([])
      .describe(
        "Names (as they stand decoded) whose values are kept although `values` is `masked`. Name none that holds a secret: whoever reads the log reads it.",
      ),
  })
  .readonly();

const unidentifiedSchema = z
  .strictObject({
    perSecond: z
      .number("a number from 0 to 100000")
      .min(0, "0 or more")
      .max(100_000, "at most 100000")
      .default(10)
      .describe(
        "Denials of unidentified callers that get a record of their own, in the long run, per second. Those beyond are counted by reason and listener in `summary` records. Higher: strangers can write more to the disk.",
      ),
    burst: z
      .int("a whole number from 0 to 1000000")
      .min(0, "0 or more")
      .max(1_000_000, "at most 1000000")
      .default(1000)
      .describe("How many such denials get a record at once after a quiet time."),
  })
  .readonly();

export const auditSchema = z
  .strictObject({
    path: z
      .string("a folder")
      .min(1, "a folder, such as data/audit")
      .describe(
        "Folder of the log. Made with mode 0700 where it is absent; one that others can enter is refused. Files in it are `audit-<start>-<instance>.jsonl`, mode 0600; none is ever overwritten, and `keep` says when one is removed.",
      ),
    durability: z
      .enum(["batched", "strict"])
      .default("batched")
      .describe(
        "`batched`: records are written within 20 ms and on disk within `flushInterval`; that much can be lost in a crash. `strict`: a decision is on disk before the first byte of its request is forwarded; slower by one disk flush, which requests at the same time share.",
      ),
    flushInterval: duration({ min: "10ms", max: "60s" })
      .prefault("1s")
      .describe(
        "With `batched`: the longest time between a record's being written and its being on disk (fdatasync). Shorter: less is lost when the machine stops, more work for the disk.",
      ),
    segment: byteSize({ min: "64KiB", max: "64GiB" })
      .prefault("256MiB")
      .describe("Bytes after which a new file is begun."),
    reserve: byteSize({ min: "0B", max: "1024GiB" })
      .prefault("128MiB")
      .describe(
        "Free space on the disk that is kept for permits. Below it, denials of unidentified callers are only counted; below a half of it, all denials are; below a sixteenth of it, traffic is refused and what was permitted is still recorded to its end.",
      ),
    compressAfter: z
      .union(
        [z.literal("never"), duration({ min: "1s", max: "3650d" })],
        "a duration from 1s to 3650d, such as 1h, or never",
      )
      .prefault("1h")
      .describe(
        "How long after its last record a file of the log that is over is compressed (gzip, `.jsonl.gz`); `never`: it stays as it is. Compressed files are read as the others are. Measured: they take from a fifteenth to a sixth of the room, the less the more alike records are, and 3 to 9 µs of processor time a record to make and read back.",
      ),
    keep: duration({ min: "1h", max: "36500d" })
      .optional()
      .describe(
        "How long after its last record a file of the log is kept. Then it is removed, once an `event` record `file-removed` says so and is sealed; hashes of its records stay in the tree. When left out, for ever: take files away yourself, or let the disk fill, which refuses traffic.",
      ),
    summaryInterval: duration({ min: "1s", max: "1h" })
      .prefault("10s")
      .describe("How often what was only counted is written as a `summary` record."),
    checkpoints: checkpointSchema
      .prefault({})
      .describe("Checkpoints that prove that no record was changed ([audit](audit.md))."),
    query: querySchema
      .prefault({})
      .describe("What of a request's query reaches the record. Policies see all of it."),
    redact: redactSchema
      .prefault([])
      .describe(
        "Members of records that are written as keyed hashes and never in clear, such as `principal.subject`, `principal.attributes.email`, `clientAddress`, `path` (docs/audit.md lists them). They can be joined until the person is erased; what they were can be read nowhere, so `explain` and `replay` know less. Costs some microseconds a request.",
      ),
    unidentified: unidentifiedSchema
      .prefault({})
      .describe("The room that denials of callers without an identity get."),
    sinks: sinksSchema
      .prefault([])
      .describe(
        "Copies of the log that go elsewhere while it is written (docs/logs.md). None is waited for, whatever becomes of its receiver.",
      ),
  })
  .readonly();

/** As the user writes it. */
export type AuditInput = z.input<typeof auditSchema>;
/** Checked; durations in milliseconds, sizes in bytes. */
export type AuditOptions = z.output<typeof auditSchema>;
