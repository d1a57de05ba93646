/**
 * The names in which Sallyport speaks to services, so that nobody else does (design section 5, rule 2).
 *
 * Whatever a caller sends under these names is dropped, in any case, with `_` or any other sign for
 * `-` (CGI-like servers make one variable of all of them), in the head and in trailers. Also dropped
 * are names by which a service would act on another host, path, method or address than the one that
 * policy saw.
 * `x-request-id` and `traceparent` are a caller's to choose: they stay when they are valid and
 * single.
 */
import type { Fields } from "../model/http.ts";
import { isRequestId } from "./request-id.ts";
import { parseTraceparent } from "./traceparent.ts";

/** Everything that begins so, `-` standing for `_` too. */
const PREFIXES = ["x-sallyport-", "sallyport-", "x-forwarded-"] as const;

const NAMES: ReadonlySet<string> = new Set([
  // What we write.
  "sallyport",
  "x-sallyport",
  "forwarded",
  "x-forwarded",
  "via",
  // Other spellings of the caller's address.
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "client-ip",
  "x-remote-ip",
  "x-remote-addr",
  "x-originating-ip",
  // A service that honours these acts on another host, path or method than policy saw.
  "x-host",
  "x-original-host",
  "x-http-host-override",
  "x-original-method",
  "x-original-uri",
  "x-envoy-original-path",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  // CGI makes HTTP_PROXY of it, and libraries send their own requests there (CVE-2016-5385).
  "proxy",
]);

/** Fields that CGI-like servers would take for the real ones when written with another sign. */
const UNDERSCORED: ReadonlySet<string> = new Set([
  "content-length",
  "content-type",
  "proxy-authorization",
  "transfer-encoding",
  "x-request-id",
]);

/** `trace`: stays when single and valid. */
type Verdict = "strip" | "keep" | "request-id" | "traceparent" | "tracestate";

const LIMITS = {
  /** Remembered names; forgotten all at once when full, so invented names cost no memory. */
  verdicts: 1024,
  /** Longer names are judged each time. */
  nameLength: 48,
} as const;

const verdicts = new Map<string, Verdict>();

/**
 * The one name that a CGI-like server makes of all names that differ only in their signs. RFC 3875
 * section 4.1.18 speaks of `-` alone, but lighttpd and others write `_` for whatever is neither a
 * letter nor a digit.
 */
export function spokenName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "-");
}

/** Whether a lower-case name is one in which only Sallyport speaks. */
export function isIdentityName(name: string): boolean {
  return verdictOn(name) === "strip";
}

/**
 * The fields without those that only Sallyport may send; order kept, the same list when there was
 * nothing to drop. For heads and for trailers.
 */
export function stripIdentityFields(fields: Fields): Fields {
  for (let index = 0; index < fields.length; index += 2) {
    // One Map lookup a field in the usual case, where nothing is special.
    if (verdictOn(fields[index] ?? "") !== "keep") return stripFrom(fields);
  }
  return fields;
}

function stripFrom(fields: Fields): Fields {
  const requestId = single(fields, "x-request-id", isRequestId);
  const traced = single(fields, "traceparent", (value) => parseTraceparent(value) !== undefined);
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const verdict = verdictOn(name);
    if (verdict === "strip") continue;
    if (verdict === "request-id" && !requestId) continue;
    // W3C Trace Context section 3.3.1.2: without a valid traceparent, tracestate means nothing.
    if ((verdict === "traceparent" || verdict === "tracestate") && !traced) continue;
    kept.push(name, fields[index + 1] ?? "");
  }
  return kept.length === fields.length ? fields : kept;
}

function single(fields: Fields, name: string, valid: (value: string) => boolean): boolean {
  let found: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== name) continue;
    if (found !== undefined) return false;
    found = fields[index + 1];
  }
  return found !== undefined && valid(found);
}

function verdictOn(name: string): Verdict {
  const remembered = verdicts.get(name);
  if (remembered !== undefined) return remembered;
  const verdict = judge(name);
  if (name.length <= LIMITS.nameLength) {
    if (verdicts.size >= LIMITS.verdicts) verdicts.clear();
    verdicts.set(name, verdict);
  }
  return verdict;
}

function judge(name: string): Verdict {
  const dashed = spokenName(name);
  if (NAMES.has(dashed) || PREFIXES.some((prefix) => dashed.startsWith(prefix))) return "strip";
  if (dashed !== name) return UNDERSCORED.has(dashed) ? "strip" : "keep";
  if (name === "x-request-id") return "request-id";
  if (name === "traceparent" || name === "tracestate") return name;
  return "keep";
}
