/**
 * From the text of a cookie to a session: one that is known, or one that is opened, asked about and found good.
 *
 * Refuses what is not sealed by us for this, what is past its lifetimes, what was ended anywhere, and former
 * cookies of a session once its browser has a newer one.
 */
import type { SessionContent } from "./session-content.ts";
import {
  expired,
  FORMER,
  IDLE,
  memoryFailure,
  READ_FAULTS,
  type SessionFault,
} from "./session-faults.ts";
import type { LiveSessions } from "./session-live.ts";
import { settle } from "./session-settle.ts";
import type { SessionStanding, Standing } from "./session-standing.ts";
import type { Read, SessionStore } from "./session-store.ts";
import type { KnownCookie } from "./session-table.ts";
import type { SessionTimes } from "./session-times.ts";

export type Found = KnownCookie | SessionFault;

export interface SessionLookupDeps {
  readonly live: LiveSessions;
  readonly store: SessionStore;
  readonly standing: SessionStanding;
  readonly times: SessionTimes;
}

/** What is known of a text once everybody was asked. */
interface Opened {
  readonly text: string;
  readonly read: SessionContent;
  readonly newest: SessionContent | undefined;
  readonly standing: Standing;
  readonly nowMs: number;
}

export type FindSession = (
  texts: readonly string[],
  nowMs: number,
) => Found | undefined | Promise<Found | undefined>;

/** Of several texts the newest; one that is refused refuses them all. Undefined of none. */
export function createSessionLookup({
  live: sessions,
  store,
  standing: others,
  times,
}: SessionLookupDeps): FindSession {
  return function find(texts, nowMs) {
    const [text, ...more] = texts;
    if (text === undefined) return undefined;
    const first = load(text, nowMs);
    if (more.length === 0) return first;
    return settle(first, (one): Found | undefined | Promise<Found | undefined> => {
      if ("failure" in one) return one;
      return settle(find(more, nowMs), (other) =>
        other === undefined || (!("failure" in other) && isNewer(one, other)) ? one : other,
      );
    });
  };

  function load(text: string, nowMs: number): Found | Promise<Found> {
    const known = sessions.byText(text);
    if (known !== undefined) return known;
    try {
      const loaded = settle(store.read(text), (read) => judge(text, read, nowMs));
      return loaded instanceof Promise ? loaded.catch(memoryFailure) : loaded;
    } catch (error) {
      return memoryFailure(error);
    }
  }

  function judge(text: string, read: Read, nowMs: number): Found | Promise<Found> {
    if ("fault" in read) return READ_FAULTS[read.fault];
    if (times.isFromFuture(read, nowMs)) return expired("it is from the future");
    if (nowMs >= times.absoluteEnd(read)) return expired("past its absolute lifetime");
    return settle(others.of(read), (standing) =>
      settle(store.newest(read.id), (newest) => admit({ text, read, newest, standing, nowMs })),
    );
  }

  function admit({ text, read, newest, standing, nowMs }: Opened): Found {
    const { ended, seen, usedMs } = standing;
    if (ended) return expired("ended by a logout");
    if (seen !== undefined && times.isFormer(read.generation, seen, nowMs)) return FORMER;
    const newer = newest !== undefined && newest.generation > read.generation ? newest : read;
    const content = { ...newer, usedMs: Math.max(newer.usedMs, read.usedMs, usedMs) };
    if (nowMs >= times.idleEnd(content)) return expired(IDLE);
    const known = sessions.byId(read.id);
    if (known === undefined) {
      const ownText = newer === read ? text : (store.renewed(newer) ?? text);
      const entered = sessions.enter(content, ownText, nowMs);
      if ("failure" in entered) return entered;
      if (seen?.generation === content.generation) entered.live.confirmedMs = seen.atMs;
      return sessions.add({ live: entered.live, text, generation: read.generation });
    }
    if (content.generation > known.content.generation) {
      const fault = sessions.adopt(known, content, nowMs);
      if (fault !== undefined) return fault;
    } else if (content.usedMs > known.content.usedMs) {
      sessions.touch(known, content.usedMs, nowMs);
    }
    return sessions.add({ live: known, text, generation: read.generation });
  }
}

function isNewer(one: KnownCookie, other: KnownCookie): boolean {
  if (one.live === other.live) {
    return one.generation > other.generation || one.text === one.live.text;
  }
  return one.live.content.beganMs > other.live.content.beganMs;
}
