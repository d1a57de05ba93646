/** What is asked of Postgres, each prepared once a connection. Times are by the server's clock. */
import { STORE_LIMITS } from "./limits.ts";
import { COLUMNS } from "./rows.ts";

/** Of the statement, so that all of its rows are judged alike. */
const NOW_MS = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";
const CLOCK_MS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** The rule of `store-time.ts`: the clock does not go back by a small step. */
const TIME_MS = `CASE WHEN time_ms - ${CLOCK_MS} BETWEEN 0 AND ${STORE_LIMITS.clockStep}
  THEN time_ms ELSE ${CLOCK_MS} END`;

const ALIVE = `body IS NOT NULL AND (expires_ms IS NULL OR expires_ms > ${NOW_MS})`;

/** Whoever is told of a commit listens on it. */
export const CHANGED_CHANNEL = "sallyport_changed";

/**
 * Rows are found along an index and in no other way. Before the server has counted a table that was
 * just filled, it thought of reading and sorting all that is left for each page (2 s instead of 0.02 s
 * with 600 000 documents), of reading all of them for a purge (0.8 s, with the counter locked), or of
 * compiling the statement (0.4 s).
 */
const PLAN =
  "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL jit = off;";

/**
 * Begins what writes. The counter's row is locked first and until the end: whoever comes next takes
 * its number when this one has been committed and can be seen, so numbers become visible in order.
 * A process that is stopped in the middle holds it no longer than the limit.
 */
export const BEGIN = `
  BEGIN ISOLATION LEVEL READ COMMITTED;
  SET LOCAL lock_timeout = ${STORE_LIMITS.lock};
  SET LOCAL statement_timeout = ${STORE_LIMITS.answer};
  SET LOCAL idle_in_transaction_session_timeout = ${STORE_LIMITS.answer};
  ${PLAN}
  SELECT 1 FROM sallyport_state FOR UPDATE`;

/** Begins what reads a page. */
export const BEGIN_PAGE = `
  BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
  SET LOCAL statement_timeout = ${STORE_LIMITS.answer};
  ${PLAN}`;

export const EPOCH = {
  name: "sallyport-epoch",
  text: "SELECT epoch FROM sallyport_state",
} as const;

export const NOW = {
  name: "sallyport-now",
  text: `SELECT number, ${TIME_MS}, epoch FROM sallyport_state`,
} as const;

/** $1 collection, $2 id. */
export const GET = {
  name: "sallyport-get",
  text: `SELECT ${COLUMNS} FROM sallyport_documents WHERE collection = $1 AND id = $2 AND ${ALIVE}`,
} as const;

/** $1 collection, $2 after, $3 limit. */
export const LIST = {
  name: "sallyport-list",
  text: `SELECT ${COLUMNS} FROM sallyport_documents
    WHERE collection = $1 AND id > $2 AND ${ALIVE} ORDER BY id LIMIT $3::bigint`,
} as const;

/**
 * $1 since, $2 limit. The counter's columns stand before those of each document, and alone where there
 * is none. One statement, so that counter and documents are of one moment.
 */
export const CHANGES = {
  name: "sallyport-changes",
  text: `
    WITH state AS MATERIALIZED (SELECT number, forgotten FROM sallyport_state),
    bound AS MATERIALIZED (
      SELECT coalesce(
        (SELECT number FROM sallyport_documents WHERE number > $1::bigint
          ORDER BY number LIMIT 1 OFFSET $2::bigint - 1),
        (SELECT number FROM state)
      ) AS last
    )
    SELECT (SELECT number FROM state), (SELECT forgotten FROM state), (SELECT last FROM bound),
      document.collection, document.id,
      CASE WHEN document.expires_ms <= ${NOW_MS} THEN NULL ELSE document.body END,
      document.number, document.time_ms, document.expires_ms
    FROM (SELECT) AS always LEFT JOIN sallyport_documents AS document
      ON document.number > $1::bigint AND document.number <= (SELECT last FROM bound)
    ORDER BY document.number, document.collection, document.id`,
} as const;

/** $1 collections, $2 ids: the numbers of those that are there. */
export const NUMBERS = {
  name: "sallyport-numbers",
  text: `SELECT collection, id, number FROM sallyport_documents
    WHERE (collection, id) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND ${ALIVE}`,
} as const;

/** $1 collections, $2 ids, $3 bodies, $4 expiries. */
export const WRITE = {
  name: "sallyport-write",
  text: `
    WITH counter AS (
      UPDATE sallyport_state SET number = number + 1, time_ms = ${TIME_MS}
      RETURNING number, time_ms
    ), written AS (
      INSERT INTO sallyport_documents (${COLUMNS})
      SELECT write.collection, write.id, write.body, counter.number, counter.time_ms, write.expires_ms
      FROM counter CROSS JOIN unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
        AS write (collection, id, body, expires_ms)
      ON CONFLICT (collection, id) DO UPDATE SET body = excluded.body, number = excluded.number,
        time_ms = excluded.time_ms, expires_ms = excluded.expires_ms
    )
    SELECT number, time_ms, pg_notify('${CHANGED_CHANNEL}', '')::text FROM counter`,
} as const;

/** Expired documents become removals of the same number: who has read past it knows their end. */
export const EXPIRE = {
  name: "sallyport-expire",
  text: `
    WITH expired AS (
      UPDATE sallyport_documents SET body = NULL, expires_ms = NULL
      WHERE (collection, id) IN (
        SELECT collection, id FROM sallyport_documents
        WHERE expires_ms <= ${NOW_MS} ORDER BY expires_ms LIMIT ${STORE_LIMITS.purge}
      )
      RETURNING 1
    )
    SELECT count(*) FROM expired`,
} as const;

/** $1: for how many milliseconds removals are remembered. */
export const FORGET = {
  name: "sallyport-forget",
  text: `
    WITH old AS (
      SELECT collection, id FROM sallyport_documents
      WHERE body IS NULL AND time_ms < ${NOW_MS} - $1::bigint
      ORDER BY time_ms, number LIMIT ${STORE_LIMITS.purge}
    ), gone AS (
      DELETE FROM sallyport_documents USING old
      WHERE sallyport_documents.collection = old.collection AND sallyport_documents.id = old.id
      RETURNING sallyport_documents.number
    ), moved AS (
      UPDATE sallyport_state SET forgotten = greatest(forgotten, (SELECT max(number) FROM gone))
    )
    SELECT count(*) FROM gone`,
} as const;

export const FIGURES = {
  name: "sallyport-figures",
  text: `SELECT collection, count(*) FROM sallyport_documents WHERE ${ALIVE} GROUP BY collection`,
} as const;

/** $1 epoch. */
export const RENEW_EPOCH = {
  name: "sallyport-renew-epoch",
  text: `WITH renewed AS (UPDATE sallyport_state SET epoch = $1)
    SELECT pg_notify('${CHANGED_CHANNEL}', '')::text`,
} as const;

/** $1 payload. */
export const NOTIFY = {
  name: "sallyport-notify",
  text: `SELECT pg_notify('${CHANGED_CHANNEL}', $1)::text`,
} as const;
