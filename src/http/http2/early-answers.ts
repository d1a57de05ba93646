/**
 * Streams on which our side has ended before the peer's, and nobody wants what the peer may still send:
 * it is told to stop (RFC 9113 section 8.1), unless it has ended its side by then.
 */
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { type Deadlines, NEVER } from "../deadlines.ts";
import type { Http2Stream } from "./stream.ts";

const LIMITS = {
  /**
   * How long a caller has to notice that its request is answered before it is complete. Told at once,
   * curl gives up with the answer unread. A service is told with our next frames.
   */
  noticeMs: 1000,
} as const;

export class EarlyAnswers {
  readonly #noticeMs: number;
  readonly #deadlines: Deadlines;
  /** By when each is told, in order: all have the same time. */
  readonly #stopBy = new Map<Http2Stream, number>();

  constructor(side: "server" | "client", deadlines: Deadlines) {
    this.#noticeMs = side === "server" ? LIMITS.noticeMs : 0;
    this.#deadlines = deadlines;
  }

  /** Monotonic milliseconds at which `stop` has something to do, or `NEVER`. */
  get expiresAt(): number {
    for (const stopBy of this.#stopBy.values()) return stopBy;
    return NEVER;
  }

  add(stream: Http2Stream): void {
    if (!this.#stopBy.has(stream)) {
      this.#stopBy.set(stream, this.#deadlines.coarseNow + this.#noticeMs);
    }
  }

  /** The stream is over. */
  delete(stream: Http2Stream): void {
    if (this.#stopBy.size > 0) this.#stopBy.delete(stream);
  }

  /** Tells those whose time has come. */
  stop(): void {
    if (this.#stopBy.size === 0) return;
    const now = this.#deadlines.coarseNow;
    for (const [stream, stopBy] of this.#stopBy) {
      if (stopBy > now) return;
      this.#stopBy.delete(stream);
      const { receiver } = stream;
      stream.reset(H2_ERROR.noError);
      receiver?.closed();
    }
  }
}
