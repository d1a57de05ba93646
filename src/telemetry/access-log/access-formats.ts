/**
 * The forms of a line. Whatever a caller put into a path, a host or a name, a line stays one line, and
 * no value can pass for another: what could is escaped.
 */
import { escapeUnprintable } from "../../model/unprintable.ts";
import { logfmtValue } from "../logfmt.ts";
import { ACCESS_FIELDS, type AccessEntry, type AccessField } from "./access-entry.ts";

/** One line, with its line feed. */
export type AccessFormat = (entry: AccessEntry) => string;

const ABSENT = "-";

export function accessFormat(
  format: "json" | "common" | "logfmt",
  fields: readonly AccessField[] = ACCESS_FIELDS,
): AccessFormat {
  if (format === "common") return commonLine;
  const chosen = ACCESS_FIELDS.filter((field) => fields.includes(field));
  return format === "json"
    ? (entry) => jsonLine(entry, chosen)
    : (entry) => logfmtLine(entry, chosen);
}

function jsonLine(entry: AccessEntry, fields: readonly AccessField[]): string {
  if (fields.length === ACCESS_FIELDS.length && entry.status !== undefined) return written(entry);
  const shown: { [Field in AccessField]?: string | number } = {};
  for (const field of fields) {
    const value = valueOf(entry, field);
    if (value !== undefined) shown[field] = value;
  }
  return written(shown);
}

function written(entry: AccessEntry): string {
  return `${escapeUnprintable(JSON.stringify(entry))}\n`;
}

/** A request whose end is not known is seen as such, whatever the format. */
function valueOf(entry: AccessEntry, field: AccessField): string | number | undefined {
  return entry[field] ?? (field === "status" ? ABSENT : undefined);
}

function logfmtLine(entry: AccessEntry, fields: readonly AccessField[]): string {
  const pairs: string[] = [];
  for (const field of fields) {
    const value = valueOf(entry, field);
    if (value !== undefined) pairs.push(`${field}=${logfmtValue(value)}`);
  }
  return `${pairs.join(" ")}\n`;
}

/** `host ident authuser [date] "request" status bytes`: `%h %l %u %t "%r" %>s %b` of Apache. */
function commonLine(entry: AccessEntry): string {
  const { clientAddress = ABSENT, principal, status = ABSENT, responseBytes = 0 } = entry;
  const user = principal === undefined ? ABSENT : commonText(String(principal), true);
  const bytes = responseBytes === 0 ? ABSENT : String(responseBytes);
  const time = commonTime(String(entry.time ?? ""));
  return `${commonText(String(clientAddress), true)} - ${user} [${time}] "${requestLine(entry)}" ${status} ${bytes}\n`;
}

function requestLine({ method, path, query, httpVersion }: AccessEntry): string {
  if (method === undefined || path === undefined) return ABSENT;
  const target = query === undefined ? String(path) : `${path}?${query}`;
  const version = httpVersion === "2" ? "2.0" : (httpVersion ?? "1.1");
  return commonText(`${method} ${target} HTTP/${version}`, false);
}

/** As Apache does: `\"`, `\\`, and `\xhh` for each byte that is not visible ASCII; a space where `spaces` are told apart. */
function commonText(text: string, spaces: boolean): string {
  const plain = spaces ? /^[!#-[\]-~]*$/ : /^[ !#-[\]-~]*$/;
  if (plain.test(text)) return text;
  let escaped = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const visible = byte > 0x20 && byte < 0x7f;
    if (byte === 0x22 || byte === 0x5c) escaped += `\\${String.fromCharCode(byte)}`;
    else if (visible || (byte === 0x20 && !spaces)) escaped += String.fromCharCode(byte);
    else escaped += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `10/Oct/2000:13:55:36 +0000`; records are in UTC. */
function commonTime(time: string): string {
  const [, year, month, day, clock] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)/.exec(time) ?? [];
  const name = MONTHS[Number(month) - 1];
  return name === undefined ? ABSENT : `${day}/${name}/${year}:${clock} +0000`;
}
