/**
 * What the thread that keeps the log and the process that serves say to each other. Another kind of
 * message is another member here; the compiler lists who has to know it.
 */
import type { ErrorCode } from "../../model/errors.ts";
import type { EventRecord } from "../../model/events.ts";
import type { Log } from "../../model/ports.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import type { FamilyText } from "../../telemetry/exposition.ts";
import type { SignAnswer } from "../../telemetry/signs/answers.ts";

export type FromKeeping =
  /** All consumers are open; the first piece is being read. */
  | { readonly kind: "ready" }
  /** What keeps one of them from its work is not to be got over by trying again. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string }
  | {
      readonly kind: "log";
      readonly level: keyof Log;
      readonly event: string;
      readonly fields: SentFields;
    }
  /** To be written into the log. */
  | { readonly kind: "event"; readonly record: EventRecord }
  | { readonly kind: "report"; readonly seq: number; readonly families: readonly FamilyText[] }
  | { readonly kind: "news"; readonly news: KeepingNews };

export type ToKeeping =
  /** What it counts is wanted. */
  | { readonly kind: "report"; readonly seq: number }
  /** What other machines let through. */
  | { readonly kind: "used-elsewhere"; readonly steps: readonly QuotaStep[] }
  /** The log is closed: what there is is read to its end and committed, then the thread ends. */
  | { readonly kind: "close" };

/** What consumers tell the process that serves, beside events: one member for each topic. */
export type KeepingNews =
  /** Who does not get on now, by name. */
  | { readonly topic: "failing"; readonly consumers: readonly string[] }
  /** What processes that have ended let through: the book of usage lacked it when quotas began with that. */
  | { readonly topic: "quotas"; readonly steps: readonly QuotaStep[] }
  /** Access is to be taken away, because of a sign of a breach. */
  | { readonly topic: "answer"; readonly answer: SignAnswer };

/** Fields of a log line; an error loses its class on the way, so its parts go. */
export type SentFields = Readonly<Record<string, string | number | boolean | SentError>>;

export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number | undefined;
  readonly stack?: string | undefined;
  readonly cause?: SentError | undefined;
}
