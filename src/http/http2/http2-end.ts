/** What a connection and the end that owns it (server.ts, client.ts) know of each other. */
import type { Log } from "../../model/ports.ts";
import type { Deadlines } from "../deadlines.ts";
import type { Http2Limit } from "./floods.ts";
import type { OwnSettings } from "./settings.ts";
import type { Http2Stream, Section } from "./stream.ts";

/** What an end hears of its connection. No verb may throw. */
export interface Http2End {
  /** Servers: the peer opens a stream. It needs a receiver, an answer or a reset before this returns. */
  opened(stream: Http2Stream, section: Section, endStream: boolean): void;
  /** The peer's SETTINGS are in force: the first ones, and each later set. */
  settingsReceived(): void;
  /** The peer will take no further streams. Those above `lastStreamId` are told afterwards that they are over. */
  goawayReceived(lastStreamId: number, code: number): void;
  /** A stream has left the table: there is room for another. */
  streamClosed(stream: Http2Stream): void;
  /** `restBy` has passed. */
  expired(): void;
  /** No stream can be opened any more: it failed by `code` or was closed. Its streams were told. Once. */
  closing(detail: string, code: number): void;
  /** The socket is gone. Once. */
  ended(): void;
}

export interface Http2Config {
  readonly side: "server" | "client";
  readonly own: OwnSettings;
  /** What the window of a stream grows to whose bytes are taken; `own.streamWindow` when left out. */
  readonly grownWindow?: number;
  /** Fields of one section, pseudo-fields included. */
  readonly maxFields: number;
  /** How long the peer may leave unread what streams have for it. */
  readonly readTimeoutMs: number;
  /** How long a frame or a field section may take that comes while no stream is open. */
  readonly headTimeoutMs?: number | undefined;
  readonly deadlines: Deadlines;
  readonly log: Log;
  /** Clients: the last number for a stream of ours; tests count to less. */
  readonly lastNumber?: number | undefined;
  /** A limit struck. */
  readonly hit: (limit: Http2Limit | "readTimeout" | "headTimeout") => void;
}
