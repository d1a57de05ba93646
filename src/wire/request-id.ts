/** The caller's `x-request-id`: kept when it can do no harm in a log line, a header or a file name. */

/** UUIDs, ULIDs, Envoy's and AWS's ids all fit; 128 characters bound what a caller writes into our logs. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:=@+/-]{0,127}$/;

/** Whether a caller's request id is passed on. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}
