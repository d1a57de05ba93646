/** Over which protocol a suite's callers speak. What they write is HTTP/1.1 either way. */
import { TranslatedConnection } from "../http2/translated-connection.ts";
import { RawConnection } from "./raw-connection.ts";

export const PROTOCOLS = ["http/1.1", "h2"] as const;

export type Protocol = (typeof PROTOCOLS)[number];

/** A caller as suites see it: they write requests as HTTP/1.1 and read answers as such. */
export interface CallerConnection {
  /** All that came back, one character a byte. */
  readonly text: string;
  /** Whether the proxy cut the connection, or over HTTP/2 a stream of it. */
  readonly closed: boolean;
  write(bytes: string): void;
  /** Says that nothing more will be sent; the other side may still answer. */
  end(): void;
  destroy(): void;
  /** Settles with true once `holds`; with false when it does not within the time. */
  until(holds: () => boolean, waitMs?: number): Promise<boolean>;
}

/** Connects to `host:port`. */
export function openCaller(
  address: string,
  { over, tls = false }: { readonly over: Protocol; readonly tls?: boolean },
): Promise<CallerConnection> {
  return over === "h2"
    ? TranslatedConnection.open(address, { tls })
    : RawConnection.open(address, { tls });
}
