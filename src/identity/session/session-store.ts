/**
 * Where the content of sessions is kept: all of it in the cookie, or in the memory that workers (with Redis:
 * replicas) share, with only the id in the cookie. Sealed in both; whoever reads that memory reads no session.
 */
import { SallyportError } from "../../model/errors.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import { readContent, type SessionContent, writeContent } from "./session-content.ts";
import type { SealFault, SessionSealer } from "./session-seal.ts";
import { settle } from "./session-settle.ts";

export type Read = SessionContent | SealFault | { readonly fault: "gone" };

export interface SessionStore {
  /** The text for a cookie; a promise where it is kept elsewhere. */
  keep(content: SessionContent, ttlMs: number): string | Promise<string>;
  /** The text after a renewal, which changes nothing but `usedMs`. Undefined: the one that is there stays good. */
  renewed(content: SessionContent): string | undefined;
  /** What a cookie stands for. */
  read(text: string): Read | Promise<Read>;
  /** A session's content as the last refresh anywhere left it; undefined where none did. */
  newest(id: string): SessionContent | undefined | Promise<SessionContent | undefined>;
  /** Puts it where `newest` finds it. */
  publish(content: SessionContent, ttlMs: number): void | Promise<void>;
  /** What was published is of no use any more. */
  forget(id: string): void | Promise<void>;
}

export interface SessionStoreDeps {
  /** Whose sessions: what another one kept is not found. */
  readonly scope: string;
  readonly sealer: SessionSealer;
  readonly shared: SharedMemory;
}

const SPACE = "session-content";

/** In the cookie. A refresh is published too: requests that carry the former cookie get the new one. */
export function createCookieStore({ scope, sealer, shared }: SessionStoreDeps): SessionStore {
  const published = publishing({ scope, sealer, shared });
  return {
    keep: (content) => sealer.seal(writeContent(content)),
    renewed: (content) => sealer.seal(writeContent(content)),
    read(text) {
      const opened = sealer.open(text);
      if ("fault" in opened) return opened;
      return readContent(opened.plain) ?? { fault: "form" };
    },
    ...published,
  };
}

export function createMemoryStore({ scope, sealer, shared }: SessionStoreDeps): SessionStore {
  const published = publishing({ scope, sealer, shared });
  return {
    keep: (content, ttlMs) =>
      settle(published.publish(content, ttlMs), () => sealer.seal(content.id)),
    renewed: () => undefined,
    read(text) {
      const opened = sealer.open(text);
      if ("fault" in opened) return opened;
      return settle(published.newest(opened.plain), (found): Read => found ?? { fault: "gone" });
    },
    ...published,
  };
}

function publishing({ scope, sealer, shared }: SessionStoreDeps) {
  const keyOf = (id: string): string => `${scope}:${id}`;
  return {
    newest: (id: string) =>
      settle(shared.get(SPACE, keyOf(id)), (text): SessionContent | undefined => {
        if (text === undefined) return undefined;
        const opened = sealer.open(text);
        const content = "plain" in opened ? readContent(opened.plain) : undefined;
        // Somebody else has written there, or under a key that is gone: as if it were not there.
        return content?.id === id ? content : undefined;
      }),
    publish: (content: SessionContent, ttlMs: number) =>
      shared.put(SPACE, keyOf(content.id), sealer.seal(writeContent(content)), Math.max(1, ttlMs)),
    forget: (id: string) => shared.remove(SPACE, keyOf(id)),
  };
}

/** Whether the memory could not be asked, or had no room. */
export function isMemoryFault(error: unknown): error is SallyportError {
  return (
    error instanceof SallyportError &&
    (error.code === "memory-unavailable" || error.code === "memory-full")
  );
}
