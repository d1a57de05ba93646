/**
 * The opening handshake of a WebSocket (RFC 6455 section 4) as a proxy has to understand it: what a
 * request asks for, whether it is well-formed, and whether a service's 101 answers exactly that
 * request. Who lets bytes through on anything less is told `101` by one side and not by the other,
 * and what one of them reads as frames the other reads as requests (WebSocket smuggling).
 */
import { hash } from "node:crypto";
import type { Fields, RequestHead, ResponseHead } from "../model/http.ts";
import { trimBlanks } from "./blanks.ts";
import { getAllFields } from "./fields.ts";

/** RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION = "13";
/** Sixteen bytes in base64; the last of the 22 characters holds two bits. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * Offers that clients make unasked and go on without: curl and Java's client offer `h2c` with every
 * request. RFC 9110 section 7.8 lets a server ignore them; we do, and never pass them on.
 */
const IGNORED: ReadonlySet<string> = new Set(["h2c", "h2", "http", "tls"]);

/** `none`: nothing that is not ignored. `other`: a protocol that is never switched to here. */
export type AskedUpgrade = "none" | "websocket" | "other";

/** What a request asks to switch to. Without `upgrade` in Connection it asks for nothing (RFC 9110 section 7.8). */
export function askedUpgrade(head: RequestHead): AskedUpgrade {
  const { upgrade, connectionOptions } = head;
  if (upgrade === undefined || connectionOptions?.includes("upgrade") !== true) return "none";
  let asked: AskedUpgrade = "none";
  for (const part of upgrade.split(",")) {
    const protocol = trimBlanks(part).toLowerCase();
    if (protocol === "" || IGNORED.has(protocol.split("/", 1)[0] ?? "")) continue;
    if (protocol !== "websocket" || asked === "other") asked = "other";
    else asked = "websocket";
  }
  return asked;
}

/** Why the request is no opening handshake (RFC 6455 section 4.2.1), or undefined when it is one. */
export function handshakeFault(head: RequestHead): string | undefined {
  if (head.method !== "GET") return "a WebSocket is opened with GET";
  if (head.bodyKind !== "none") return "a WebSocket is opened without a body";
  if (head.expectContinue) return "Expect on an opening handshake";
  // Fields that Connection names would be dropped on the way, and the service would see another one.
  if (head.connectionOptions?.some((name) => name.startsWith("sec-websocket-")) === true) {
    return "Connection names a field of the handshake";
  }
  const versions = getAllFields(head.fields, "sec-websocket-version");
  if (versions.length !== 1 || versions[0] !== VERSION) return "Sec-WebSocket-Version is not 13";
  return websocketKey(head.fields) === undefined
    ? "Sec-WebSocket-Key is missing, repeated or not 16 bytes in base64"
    : undefined;
}

/** The one well-formed Sec-WebSocket-Key. */
export function websocketKey(fields: Fields): string | undefined {
  const keys = getAllFields(fields, "sec-websocket-key");
  const [key] = keys;
  return keys.length === 1 && key !== undefined && KEY.test(key) ? key : undefined;
}

/** Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2). */
export function websocketAccept(key: string): string {
  return hash("sha1", key + GUID, "base64");
}

/** Why a 101 does not open the WebSocket that `key` asked for (RFC 6455 section 4.1), or undefined. */
export function switchFault(head: ResponseHead, key: string): string | undefined {
  if (head.minorVersion !== 1) return "101 in HTTP/1.0";
  const upgrades = getAllFields(head.fields, "upgrade");
  if (upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== "websocket") {
    return "101 to another protocol than websocket";
  }
  if (head.connectionOptions?.includes("upgrade") !== true)
    return "101 without Connection: upgrade";
  const accepts = getAllFields(head.fields, "sec-websocket-accept");
  return accepts.length === 1 && accepts[0] === websocketAccept(key)
    ? undefined
    : "101 whose Sec-WebSocket-Accept does not answer the key";
}
